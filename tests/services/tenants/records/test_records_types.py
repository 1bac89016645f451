"""Whatever our checks accept, PostgreSQL accepts: filters, cursors, fields and cells of each kind.

What is hostile on the way in is a 422; what came in by older rules never breaks a list.
"""

import csv
import io
import json
from collections.abc import AsyncIterator
from typing import Any
from urllib.parse import quote
from uuid import uuid4

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from kit import base64url
from services.tenants.records.fields import KINDS
from services.tenants.records.paging import fingerprint

RECORDS = "/records/organisation"
OPERATORS = ("eq", "ne", "lt", "le", "gt", "ge", "contains", "in")
NEAR = {
    "text": r"[a-z'\"%_\\:;,{}\u00e9\u200d ]{1,12}",
    "integer": r"-?[0-9]{1,25}",
    "decimal": r"-?[0-9]{1,26}(\.[0-9]{0,14})?",
    "boolean": r"true|false|TRUE|t|1|yes",
    "date": r"[0-9]{4}-[01][0-9]-[0-3][0-9]",
    "timestamp": r"[0-9]{4}-[01][0-9]-[0-3][0-9]T[0-2][0-9]:[0-6][0-9]:[0-6][0-9](\.[0-9]{1,7})?"
    r"(Z|z|[+-][0-2][0-9]:[0-9]{2})",
    "email": r"[a-z+.'%\u00e9]{1,20}@[a-z0-9.-]{1,20}",
    "phone": r"[+(]?[0-9 ()./x-]{3,40}",
    "url": r"https?://[a-z0-9.:/?#%\[\]-]{1,30}",
}
EDGES = {
    "text": ["a\x00b", "\ud800", "\uffff", "\U0010ffff", " ", "\u0085", "NULL", "\\", "''", "{}"],
    "integer": ["-0", "007", "9223372036854775807", "9223372036854775808", "-9223372036854775808",
                "-9223372036854775809", "99999999999999999999", "1e3", "1.0", "٣", "+1", "1_000"],
    "decimal": ["NaN", "Infinity", "-Infinity", "1e400", "1e5", "0." + "0" * 12, "9" * 24,
                "9" * 25, "-0", "-0.0", ".5", "5.", "0x10", "1_0", "٣.٣"],
    "boolean": ["t", "on", "True", "1", ""],
    "date": ["0000-01-01", "0001-01-01", "9999-12-31", "10000-01-01", "2026-02-29", "2024-02-29",
             "infinity", "-infinity", "epoch", "today", "2026-13-01", "2026-00-10"],
    "timestamp": [
        "2026-01-01T00:00:00+15:59", "2026-01-01T00:00:00+16:00", "2026-01-01T00:00:00-15:59",
        "2026-01-01T00:00:00-16:00", "2026-01-01T00:00:00+23:59", "2026-01-01T00:00:00-99:99",
        "2026-01-01T00:00:00+15:60", "0000-01-01T00:00:00Z", "0001-01-01T00:00:00Z",
        "0001-01-01T00:00:00+00:01", "0001-01-01T00:00:00-00:01", "9999-12-31T23:59:59.999999Z",
        "9999-12-31T23:59:59-00:01", "9999-12-31T23:59:59+00:01", "10000-01-01T00:00:00Z",
        "2026-12-31T23:59:60Z", "2026-12-31T24:00:00Z", "2026-06-30T12:00:00.1234567Z",
        "infinity", "-infinity", "now", "2026-01-01T00:00:00", "2026-01-01T00:00:00 UTC",
    ],
    "email": ["a@b.c", "a\x00@b.c", "a@b.c\x7f", "é@b.c", "a@[127.0.0.1]", "a@b.c\ud800"],
    "phone": ["+49 1512 3456 787", "٣٣٣٣", "+1\x00", "112"],
    "url": ["http://a", "https://a\x00", "https://é/", "https://a\\b", "javascript:alert(1)"],
}  # fmt: skip
ANY = st.text(
    st.characters(max_codepoint=0x10FFFF, exclude_categories=()), max_size=12
)  # surrogates and NUL too


MANY = settings(
    max_examples=40, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
KIND = pytest.mark.parametrize("kind", sorted(KINDS))


def candidates(kind: str) -> st.SearchStrategy[str]:
    return st.one_of(st.sampled_from(EDGES[kind]), st.from_regex(NEAR[kind], fullmatch=True), ANY)


@pytest.fixture(scope="module")
async def kinds(address: Any, cluster: Any) -> AsyncIterator[Any]:
    """The module organisation gets one more field of each kind, `a_<kind>`."""
    owner = await cluster.superuser(address.database)
    await owner.execute("SET session_replication_role = replica")  # leave the journal alone
    for position, kind in enumerate(sorted(KINDS), start=100):
        await owner.execute(
            "INSERT INTO module_field (module, field, label, kind, position)"
            " VALUES ('organisation', $1, 'L', $2, $3)",
            f"a_{kind}",
            kind,
            position,
        )
    yield owner
    await owner.execute("DELETE FROM module_field WHERE field LIKE 'a\\_%'")
    await owner.close()


@pytest.fixture
async def one(api: Any, kinds: Any) -> Any:
    """A tenant with one record that has a good value of each kind."""
    fields = {
        "name": "n",
        "a_text": "t",
        "a_integer": 5,
        "a_decimal": "1.50",
        "a_boolean": True,
        "a_date": "2026-01-01",
        "a_timestamp": "2026-01-01T00:00:00Z",
        "a_email": "a@b.c",
        "a_phone": "+49 30 123456",
        "a_url": "https://a.b",
    }
    await api.create(fields)
    return api


def quoted(text: str) -> str:
    return quote(text.encode("utf-8", "surrogatepass"))


@KIND
@MANY
@given(data=st.data())
async def test_a_filter_value_is_compared_or_refused(one: Any, kind: str, data: Any) -> None:
    value, operator = data.draw(candidates(kind)), data.draw(st.sampled_from(OPERATORS))
    answer = await one.call("GET", f"{RECORDS}?filter={quoted(f'a_{kind}:{operator}:{value}')}")
    assert answer.status_code in (200, 422), answer.text


@pytest.mark.parametrize(("column", "kind"), [("created_at", "timestamp"), ("version", "integer")])
@MANY
@given(data=st.data())
async def test_a_records_own_columns_are_no_exception(
    one: Any, column: str, kind: str, data: Any
) -> None:
    value, operator = data.draw(candidates(kind)), data.draw(st.sampled_from(OPERATORS))
    answer = await one.call("GET", f"{RECORDS}?filter={quoted(f'{column}:{operator}:{value}')}")
    assert answer.status_code in (200, 422), answer.text


@KIND
@MANY
@given(data=st.data())
async def test_a_hand_made_cursor_is_followed_or_refused(one: Any, kind: str, data: Any) -> None:
    value = data.draw(st.one_of(candidates(kind), st.none(), st.integers(), st.booleans()))
    sort = data.draw(st.sampled_from(("", "-"))) + f"a_{kind}"
    parts = [fingerprint("organisation", [], sort), value, str(uuid4())]
    cursor = base64url.encode(json.dumps(parts).encode())
    answer = await one.call("GET", f"{RECORDS}?sort={sort}&cursor={cursor}")
    assert answer.status_code in (200, 422), answer.text


@KIND
@MANY
@given(data=st.data())
async def test_a_field_that_is_taken_can_be_found_sorted_and_paged(
    one: Any, kind: str, data: Any
) -> None:
    text = candidates(kind)
    value = data.draw(st.one_of(text, st.integers(), st.booleans()))
    body = json.dumps({"fields": {"name": "n", f"a_{kind}": value}}).encode()
    headers = {"content-type": "application/json"}
    made = await one.call("POST", RECORDS, content=body, headers=headers)
    assert made.status_code in (201, 400, 422), made.text
    if made.status_code == 201:
        await _is_listed(one, kind, made.json())
        path = f"{RECORDS}/{made.json()['id']}"
        gone = await one.call("DELETE", path, headers={"if-match": "*"})
        assert gone.status_code == 204


async def _is_listed(api: Any, kind: str, made: Any) -> None:
    """Both pages of either order, and found by its own value."""
    for sort in (f"a_{kind}", f"-a_{kind}"):
        page = await api.call("GET", f"{RECORDS}?limit=1&sort={sort}")
        assert page.status_code == 200, page.text
        cursor = page.json()["next_cursor"]
        rest = await api.call("GET", f"{RECORDS}?limit=1&sort={sort}&cursor={cursor}")
        assert rest.status_code == 200, rest.text
    value = made["fields"][f"a_{kind}"]
    text = json.dumps(value) if isinstance(value, bool | int) else value
    found = await api.listed(f"?filter={quoted(f'a_{kind}:eq:{text}')}")
    assert made["id"] in [row["id"] for row in found]


@KIND
@MANY
@given(data=st.data())
async def test_a_cell_is_taken_or_refused(one: Any, kind: str, data: Any) -> None:
    out = io.StringIO()
    csv.writer(out).writerows(
        [["key", "name", f"a_{kind}"], ["k", "n", data.draw(candidates(kind))]]
    )
    answer = await one.csv(out.getvalue().encode("utf-8", "surrogatepass"))
    assert answer.status_code in (200, 400, 422), answer.text


@MANY
@given(key=st.one_of(ANY, st.text(min_size=190, max_size=210), st.sampled_from(EDGES["text"])))
async def test_a_key_is_taken_or_refused(one: Any, key: str) -> None:
    body = json.dumps({"key": key, "fields": {"name": "n"}}).encode()
    made = await one.call(
        "POST", RECORDS, content=body, headers={"content-type": "application/json"}
    )
    assert made.status_code in (201, 400, 409, 422), made.text


@pytest.mark.parametrize(
    ("value", "fits"),
    [
        ("2026-01-01T00:00:00+15:59", True),
        ("2026-01-01T00:00:00-15:59", True),
        ("2026-01-01T00:00:00+16:00", False),
        ("2026-01-01T00:00:00+00:60", False),
        ("2026-01-01T00:00:00-16:00", False),
        ("0001-01-01T00:00:00Z", True),
        ("0001-01-01T00:00:00+00:01", False),
        ("9999-12-31T23:59:59Z", True),
        ("9999-12-31T23:59:59-00:01", False),
    ],
)
async def test_times_are_taken_as_far_as_postgresql_and_the_calendar_go(
    one: Any, value: str, fits: bool
) -> None:
    made = await one.call("POST", RECORDS, json={"fields": {"name": "n", "a_timestamp": value}})
    assert made.status_code == (201 if fits else 422)
    asked = await one.call("GET", f"{RECORDS}?filter={quoted(f'created_at:lt:{value}')}")
    assert asked.status_code == (200 if fits else 422)


async def test_a_value_that_older_rules_let_in_breaks_no_list(one: Any, kinds: Any) -> None:
    data = {"name": "old", "a_timestamp": "2026-01-01T00:00:00+16:00", "a_integer": 7}
    await kinds.execute(
        "INSERT INTO record (id, module, data) VALUES ($1, 'organisation', $2::text::jsonb)",
        uuid4(),
        json.dumps(data),
    )
    for query in ("sort=a_timestamp", "sort=-a_timestamp&limit=1",
                  f"filter={quoted('a_timestamp:gt:2000-01-01T00:00:00Z')}"):  # fmt: skip
        assert (await one.call("GET", f"{RECORDS}?{query}")).status_code == 200
    assert [row["fields"]["name"] for row in await one.listed("?sort=a_timestamp")] == ["n", "old"]
