"""Lists: filters typed by the module, stable pages in any order, hostile values stay values."""

from typing import Any
from urllib.parse import quote

import pytest

from kit import base64url

ROWS: list[dict[str, Any]] = [
    {"symbol": "A", "name": "alpha", "sector": "Energy", "date_added": "2001-01-01"},
    {"symbol": "B", "name": "Beta", "sector": "Energy"},
    {"symbol": "C", "name": "gamma, inc", "sector": "IT", "date_added": "1999-12-31"},
    {"symbol": "D", "name": "delta'; DROP TABLE record; --"},
    {"symbol": "E", "name": "100%_\\", "sector": "IT", "date_added": "2001-01-01"},
]


@pytest.fixture
async def filled(api: Any) -> Any:
    answer = await api.bulk([{"fields": row} for row in ROWS])
    assert answer.status_code == 200, answer.text
    return api


async def _symbols(api: Any, *filters: str, sort: str = "symbol") -> str:
    query = "&".join(f"filter={quote(one)}" for one in filters)
    rows = await api.listed(f"?sort={sort}&{query}")
    return "".join(row["key"] for row in rows)


@pytest.mark.parametrize(
    ("condition", "expected"),
    [
        ("symbol:eq:A", "A"),
        ("sector:ne:Energy", "CDE"),
        ("date_added:lt:2001-01-01", "C"),
        ("date_added:le:2001-01-01", "ACE"),
        ("date_added:gt:1999-12-31", "AE"),
        ("date_added:ge:1999-12-31", "ACE"),
        ("name:contains:A", "ABCD"),
        ("name:contains:%", "E"),
        ("name:contains:_\\", "E"),
        ("symbol:in:A,C,Z", "AC"),
        ('name:in:"gamma, inc",alpha', "AC"),
        ("sector:is_null:true", "D"),
        ("sector:is_null:false", "ABCE"),
        ("name:eq:delta'; DROP TABLE record; --", "D"),
        ("key:gt:C", "DE"),
        ("version:eq:1", "ABCDE"),
        ("version:gt:1", ""),
        ("created_at:gt:2001-01-01T00:00:00Z", "ABCDE"),
        ("territory:is_null:true", "ABCDE"),
        ("id:eq:00000000-0000-7000-8000-000000000000", ""),
    ],
)
async def test_each_operator_selects_what_it_says(
    filled: Any, condition: str, expected: str
) -> None:
    assert await _symbols(filled, condition) == expected


@pytest.mark.parametrize(
    ("query", "longer"),
    [
        ("&".join(["filter=symbol:eq:A"] * 10), "&filter=symbol:eq:A"),
        ("filter=symbol:in:" + ",".join("A" * 200), ",A"),
        ("filter=name:contains:" + "x" * 4000, "x"),
        ("sort=name,symbol,-sector", ",cik"),
    ],
    ids=["filters", "values", "length", "sorts"],
)
async def test_a_query_is_as_large_as_it_may_be_and_not_one_more(
    filled: Any, query: str, longer: str
) -> None:
    path = f"/records/organisation?{query}"
    assert (await filled.call("GET", path)).status_code == 200
    assert (await filled.call("GET", path + longer)).status_code == 422


async def test_all_filters_must_hold(filled: Any) -> None:
    assert await _symbols(filled, "sector:eq:IT", "date_added:gt:2000-01-01") == "E"


@pytest.mark.parametrize(
    "condition",
    [
        "colour:eq:red",
        "name",
        "name:eq",
        "name:like:x",
        "name:eq:",
        "date_added:eq:yesterday",
        "version:gt:many",
        "id:eq:1",
        "id:gt:00000000-0000-7000-8000-000000000000",
        "version:contains:1",
        "sector:is_null:maybe",
        'name:in:"open',
        "date_added:in:2001-01-01,yesterday",
        "name:in:",
        "name:eq:a\x00b",
        "name:contains:a\x00b",
        "name:eq:" + "x" * 5000,
        "data->>'name':eq:x",
    ],
)
async def test_a_filter_that_does_not_fit_is_refused(filled: Any, condition: str) -> None:
    answer = await filled.call("GET", f"/records/organisation?filter={quote(condition)}")
    assert answer.status_code == 422
    assert answer.json()["errors"][0]["pointer"] == "#query/filter/0"


@pytest.mark.parametrize(
    "sort",
    ["", "symbol", "-symbol", "sector", "-sector", "date_added,-name", "-date_added,sector",
     "created_at", "-updated_at,key", "version,-id", "responsible"],
)  # fmt: skip
async def test_pages_of_any_order_show_each_record_once_in_the_order_of_one_page(
    filled: Any, sort: str
) -> None:
    whole = [row["id"] for row in await filled.listed(f"?sort={sort}")]
    seen: list[str] = []
    cursor = ""
    for _ in range(10):
        answer = await filled.call("GET", f"/records/organisation?sort={sort}&limit=2{cursor}")
        page = answer.json()
        seen += [row["id"] for row in page["records"]]
        if page["next_cursor"] is None:
            break
        cursor = f"&cursor={page['next_cursor']}"
    assert seen == whole
    assert len(set(whole)) == len(ROWS)


async def test_records_without_a_value_come_last_in_both_directions(filled: Any) -> None:
    assert await _symbols(filled, sort="date_added,symbol") == "CAEBD"
    assert await _symbols(filled, sort="-date_added,symbol") == "AECBD"


async def test_a_page_goes_on_rightly_after_its_last_record_was_deleted(filled: Any) -> None:
    page = (await filled.call("GET", "/records/organisation?sort=symbol&limit=2")).json()
    last = page["records"][-1]
    path = f"/records/organisation/{last['id']}"
    assert (
        await filled.call("DELETE", path, headers={"if-match": filled.tag(1)})
    ).status_code == 204
    rest = await filled.listed(f"?sort=symbol&cursor={page['next_cursor']}")
    assert [row["key"] for row in rest] == ["C", "D", "E"]


async def test_a_cursor_of_another_query_or_none_at_all_is_refused(filled: Any) -> None:
    page = (await filled.call("GET", "/records/organisation?sort=symbol&limit=2")).json()
    cursor = page["next_cursor"]
    forged = [
        base64url.encode(text)
        for text in (b"{}", b"[]", b'["x"]', b"[1,2]", b"[[],{}]", b"null", b'"ab"')
    ]
    queries = [
        f"cursor={cursor}",
        f"sort=-symbol&cursor={cursor}",
        f"sort=symbol&filter=sector:eq:IT&cursor={cursor}",
        *(f"sort=symbol&cursor={one}" for one in [*forged, "%00", "x", "=", "%C3%A9"]),
    ]
    for query in queries:
        answer = await filled.call("GET", f"/records/organisation?{query}")
        assert answer.status_code == 422, query
        assert answer.json()["errors"][0]["pointer"] == "#query/cursor"


async def test_cursor_values_are_checked_like_filter_values(filled: Any) -> None:
    page = (await filled.call("GET", "/records/organisation?sort=date_added&limit=1")).json()
    genuine = base64url.decode(page["next_cursor"]).decode()
    forged = base64url.encode(genuine.replace("1999-12-31", "not a date").encode())
    answer = await filled.call("GET", f"/records/organisation?sort=date_added&cursor={forged}")
    assert answer.status_code == 422


@pytest.mark.parametrize("sort", ["colour", "a,b,c,d", ",", "--name", "name;"])
async def test_a_sort_that_does_not_fit_is_refused(filled: Any, sort: str) -> None:
    assert (await filled.call("GET", f"/records/organisation?sort={sort}")).status_code == 422


async def test_numbers_sort_and_compare_as_numbers(api: Any, databases: Any) -> None:
    [nine, ten] = [await api.create({"last_name": str(n)}, "person") for n in (9, 10)]
    async with databases.write(api.tenant, actor="user:test") as session:
        await session.execute("UPDATE record SET version = 9 WHERE id = $1", nine["id"])
        await session.execute("UPDATE record SET version = 10 WHERE id = $1", ten["id"])
    rows = await api.listed("?sort=-version&filter=version:ge:9", module="person")
    assert [row["version"] for row in rows] == [10, 9]
