"""Spans: one story over calls and messages, told with named attributes only."""

import asyncio
import subprocess
import sys

import pytest

from kit import telemetry
from kit.problems import NotFound
from tests.recorded import recorded

GIVEN = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01"
NOT_KEPT = GIVEN[:-1] + "0"


class _Foreign(Exception):
    """Of a library: its status is not ours."""

    status = property(lambda _self: 404)


def test_without_a_collector_nothing_that_records_or_sends_is_even_loaded() -> None:
    code = (
        "import sys; from kit import logs, telemetry, chassis, outbox\n"
        "found = ('opentelemetry.sdk', 'opentelemetry.exporter', 'requests', 'google')\n"
        "with telemetry.trace('a'), telemetry.span('b', rows=1) as span: span.note(rows=2)\n"
        "assert not [name for name in sys.modules if name.startswith(found)]"
    )
    subprocess.run([sys.executable, "-c", code], check=True, timeout=60)


def test_without_a_collector_a_trace_is_a_number_that_goes_through() -> None:
    with telemetry.trace("work", parent=GIVEN):
        assert telemetry.trace_parent() == GIVEN
        with telemetry.span("part") as span:
            span.note(rows=1)
            assert telemetry.trace_parent() == GIVEN
    with telemetry.trace("work", parent="nonsense"):
        assert telemetry.sampled_trace() == ""
        assert len(telemetry.trace_id()) == 32
    assert telemetry.trace_id() == ""


def test_a_part_lies_within_its_story_and_the_present_trace_is_the_innermost_span() -> None:
    with recorded() as collector:
        with telemetry.trace("whole", "server") as whole:
            outer = telemetry.trace_parent()
            with telemetry.span("part", "client", rows=3):
                inner = telemetry.trace_parent()
            assert telemetry.trace_parent() == outer
            whole.rename("all of it")
    whole_span, part = collector.one("all of it"), collector.one("part")
    assert outer[:-2] == whole_span.place
    assert inner[:-2] == part.place
    assert (part.trace, part.parent) == (whole_span.trace, whole_span.id)
    assert (whole_span.kind, part.kind, whole_span.parent) == ("server", "client", "")
    assert part.attributes == {"bulkhead.rows": 3}
    assert whole_span.service == "test"


def test_a_story_goes_on_from_another_process_or_points_to_where_it_came_from() -> None:
    with recorded() as collector:
        with telemetry.trace("goes on", parent=GIVEN):
            pass
        with telemetry.trace("begins", link=GIVEN):
            pass
        with telemetry.trace("begins anew", parent="nonsense", link="nonsense"):
            pass
    on, begun, anew = (collector.one(name) for name in ("goes on", "begins", "begins anew"))
    assert (on.trace, on.parent, on.links) == (GIVEN[3:35], GIVEN[36:52], ())
    assert begun.trace != GIVEN[3:35]
    assert begun.parent == ""
    assert [(one.trace, one.span) for one in begun.links] == [(GIVEN[3:35], GIVEN[36:52])]
    assert (anew.parent, anew.links) == ("", ())


def test_what_its_beginner_has_not_kept_is_kept_nowhere() -> None:
    with recorded() as collector:
        for parent in (NOT_KEPT, None):
            with telemetry.quiet_trace(parent), telemetry.span("part of what is not kept"):
                assert telemetry.sampled_trace() == ""
        with telemetry.trace("called", parent=NOT_KEPT), telemetry.span("part"):
            assert telemetry.trace_id() == NOT_KEPT[3:35]
        with telemetry.span("of no story"):
            pass
    assert collector.spans == []


def test_the_sampler_of_the_environment_decides_for_whole_stories() -> None:
    with recorded(OTEL_TRACES_SAMPLER="parentbased_always_off") as collector:
        with telemetry.trace("begun here"), telemetry.span("part"):
            assert len(telemetry.trace_id()) == 32
        with telemetry.trace("begun elsewhere", parent=GIVEN), telemetry.span("part"):
            pass
    assert {one.name for one in collector.spans} == {"begun elsewhere", "part"}
    assert {one.trace for one in collector.spans} == {GIVEN[3:35]}


def test_an_error_is_told_by_its_kind_and_an_answer_is_no_failure() -> None:
    with recorded() as collector:
        with pytest.raises(ValueError), telemetry.trace("fails"):
            raise ValueError("hunter2")
        with pytest.raises(NotFound), telemetry.trace("answers"):
            raise NotFound("hunter2")
        with pytest.raises(asyncio.CancelledError), telemetry.trace("is cancelled"):
            raise asyncio.CancelledError
        with pytest.raises(_Foreign), telemetry.trace("fails strangely"):
            raise _Foreign
    fails, answers, cancelled = (
        collector.one(name) for name in ("fails", "answers", "is cancelled")
    )
    assert (fails.failed, fails.attributes) == (True, {"error.type": "ValueError"})
    assert (answers.failed, answers.attributes) == (False, {"error.type": "NotFound"})
    assert not cancelled.failed
    assert collector.one("fails strangely").failed
    assert b"hunter2" not in b"".join(collector.raw)
    assert {(one.message, one.events) for one in collector.spans} == {("", 0)}


def test_what_has_no_name_is_not_told(monkeypatch: pytest.MonkeyPatch) -> None:
    with recorded() as collector:
        with telemetry.trace("story") as span:
            with pytest.raises(telemetry.UnnamedAttribute):
                span.note(email="a@example.com")
            monkeypatch.setattr(telemetry.Span, "refuses", False)
            span.note(email="a@example.com", rows=1)
    assert collector.one("story").attributes == {"bulkhead.rows": 1}
    assert b"example.com" not in b"".join(collector.raw)


def test_spans_of_tasks_side_by_side_do_not_mix() -> None:
    async def work(name: str, turn: asyncio.Barrier) -> None:
        with telemetry.trace(name):
            await turn.wait()
            with telemetry.span(f"part of {name}"):
                await turn.wait()

    async def both() -> None:
        turn = asyncio.Barrier(2)
        await asyncio.gather(work("one", turn), work("two", turn))

    with recorded() as collector:
        asyncio.run(both())
    for name in ("one", "two"):
        assert collector.one(f"part of {name}").parent == collector.one(name).id
