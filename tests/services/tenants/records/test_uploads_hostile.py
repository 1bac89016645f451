"""The worst bodies of an upload: refused in few words, at a cost that grows with them only."""

import json
from typing import Any

import pytest

from bench import hostile_bodies as hostile
from services.tenants.records.fields import Field
from services.tenants.records.many import checking, csv, ndjson
from services.tenants.records.many.batch import MAX_REPORTED, MAX_ROW_BYTES
from services.tenants.records.many.checking import Question
from services.tenants.records.modules import Module
from tests.growth import TWICE, growth

FIELDS = [
    Field("symbol", "text", required=True),
    Field("name", "text"),
    Field("date_added", "date"),
]
MODULE = Module("organisation", {field.name: field for field in FIELDS}, "symbol")
HEADER = b"symbol,name\n"


@pytest.mark.parametrize("make", [*hostile.WORST_CSV, *hostile.WORST_NDJSON])
@pytest.mark.parametrize("skips", [False, True])
def test_twice_the_body_costs_at_most_twice_and_a_bit_and_the_answer_stays_small(make, skips):
    is_csv = make in hostile.WORST_CSV
    head = Question("csv" if is_csv else "ndjson", MODULE, skips).head()

    def run(body: bytes) -> bytes:
        return checking.check(head + body)

    assert len(run(make(60_000))) < 200_000
    assert growth(run, make, 60_000) < TWICE


@pytest.mark.parametrize("make", [*hostile.WORST_CSV, *hostile.WORST_NDJSON])
@pytest.mark.parametrize("query", ["", "?on_error=skip"])
async def test_two_mebibytes_of_the_worst_are_answered_in_few_words(api: Any, make, query):
    send = api.csv if make in hostile.WORST_CSV else api.bulk
    answer = await send(make(2 << 20), query)
    expected = {200} if query and make is hostile.unknown_fields else {400, 413, 422}
    assert answer.status_code in expected, answer.text[:300]
    if answer.status_code == 422:
        assert len(answer.json()["errors"]) <= 20
    assert len(answer.content) < 4_000
    assert await api.listed() == []


@pytest.mark.parametrize("bad", [19, 20, 21, 400])
async def test_a_refusal_names_twenty_rows_and_says_that_there_are_more(api: Any, bad: int):
    good = b'{"key":"G","fields":{"name":"g"}}\n'
    answer = await api.bulk(good + b'{"key":1,"fields":{"name":"x"}}\n' * bad)
    errors = answer.json()["errors"]
    assert [error["line"] for error in errors] == list(range(2, 2 + min(bad, 20)))
    assert answer.json().get("more") == (True if bad > 20 else None)
    assert await api.listed() == []


async def test_a_record_names_twenty_faults_too(api: Any):
    fields = dict.fromkeys((f"unknown_{number}" for number in range(2_000)), "x")
    answer = await api.call(
        "POST", "/records/organisation", json={"fields": {"name": "n"} | fields}
    )
    assert (answer.status_code, len(answer.json()["errors"])) == (422, 20)
    assert answer.json()["more"] is True


async def test_of_the_rows_left_out_a_thousand_are_named_and_all_are_counted(api: Any):
    lines = [b"1"] * (MAX_REPORTED + 7) + [b'{"key":"G","fields":{"name":"g"}}']
    outcome = (await api.bulk(b"\n".join(lines), "?on_error=skip")).json()
    assert (len(outcome["failed"]), outcome["failed_lines"]) == (MAX_REPORTED, MAX_REPORTED + 7)
    assert outcome["created"] == 1


def test_a_header_has_a_thousand_cells_and_no_more():
    fields = {f"f{number}": Field(f"f{number}", "text") for number in range(1_100)}
    wide = Module("wide", fields)
    for columns in (csv.MAX_COLUMNS, csv.MAX_COLUMNS + 1):
        body = ",".join(list(fields)[:columns]).encode() + b"\n"
        if columns == csv.MAX_COLUMNS:
            csv.parse(body, wide, None, skips=False)
        else:
            with pytest.raises(csv.HeaderWrong) as caught:
                csv.parse(body, wide, None, skips=False)
            assert caught.value.faults[0].message == "has more than 1000 cells"


@pytest.mark.parametrize("cell", [b"a" * 3_990, b'"' + b"b\n" * 1_994 + b'"'])
def test_a_record_is_as_long_as_it_may_be_and_not_one_character_more(cell):
    """Whether it is one long line or many short ones between quotes."""
    row = b"A," + cell + b"," * (MAX_ROW_BYTES - len(cell) - 3)
    assert len(row + b"\n") == MAX_ROW_BYTES
    assert csv.parse(HEADER + row + b"\n", MODULE, None, skips=True).failed_lines == 1
    with pytest.raises(csv.CsvBroken, match="begins in line 2"):
        csv.parse(HEADER + row + b",\n", MODULE, None, skips=True)


def test_a_header_is_a_record_too():
    with pytest.raises(csv.CsvBroken, match="begins in line 1"):
        csv.parse(b"symbol," + b"x" * MAX_ROW_BYTES + b"\n", MODULE, None, skips=True)


def test_a_line_is_as_long_as_it_may_be_and_not_one_byte_more():
    for size in (MAX_ROW_BYTES, MAX_ROW_BYTES + 1):
        row = json.dumps({"key": "A", "fields": {"name": "a"}}).encode()
        line = row[:-1] + b" " * (size - len(row)) + b"}"
        batch = ndjson.parse(line + b"\n", MODULE, skips=True)
        assert (len(batch.rows), batch.failed_lines) == (
            (1, 0) if size == MAX_ROW_BYTES else (0, 1)
        )
