"""CSV import: RFC 4180 in UTF-8, faults by line, all or nothing unless asked to skip."""

import csv
import io
from pathlib import Path
from typing import Any

import pytest

HEADER = "symbol,name,sector,date_added\n"


async def test_quoted_commas_quotes_and_newlines_arrive_as_they_are(api: Any) -> None:
    text = HEADER + 'A,"Alpha, ""the"" first",IT,2001-01-01\r\nB,"two\nlines",,\r\n'
    assert (await api.csv(text)).json()["created"] == 2
    rows = await api.listed("?sort=symbol")
    assert rows[0]["fields"]["name"] == 'Alpha, "the" first'
    assert rows[1]["fields"] == {"symbol": "B", "name": "two\nlines"}
    assert [row["key"] for row in rows] == ["A", "B"]


async def test_an_import_updates_by_key_and_an_empty_cell_clears(api: Any) -> None:
    await api.csv(HEADER + "A,Alpha,IT,2001-01-01\n")
    outcome = (await api.csv("symbol,sector\nA,\n", "?key=symbol")).json()
    assert (outcome["updated"], outcome["created"]) == (1, 0)
    [row] = await api.listed()
    assert row["fields"] == {"symbol": "A", "name": "Alpha", "date_added": "2001-01-01"}


async def test_any_column_may_hold_the_key(api: Any) -> None:
    text = "last_name,email\nDoe,doe@example.org\n"
    for expected in ("created", "unchanged"):
        outcome = await api.csv(text, "?key=email", module="person")
        assert outcome.json()[expected] == 1
    text = "key,last_name\nk1,Doe\n"
    assert (await api.csv(text, module="person")).json()["created"] == 1
    assert [row["key"] for row in await api.listed("?sort=key", "person")] == [
        "doe@example.org", "k1"
    ]  # fmt: skip


async def test_without_a_key_column_every_row_is_a_new_record(api: Any) -> None:
    for _ in range(2):
        assert (await api.csv("last_name\nDoe\nRoe\n", module="person")).json()["created"] == 2


@pytest.mark.parametrize(
    ("text", "line", "pointer"),
    [
        (HEADER + 'A,"a\nb",IT,2001-01-01\nB,b,IT,soon\n', 4, "/fields/date_added"),
        (HEADER + "A,a,IT,2001-01-01\nB,b\n", 3, ""),
        (HEADER + "A,a,IT,2001-01-01\nB,b,IT,2001-01-01,more\n", 3, ""),
        (HEADER + "A,a,,\n,b,,\n", 3, "/key"),
        (HEADER + "A,a,,\n\nA,b,,\n", 4, "/key"),
        (HEADER + "A,a,,\nB,,,\n", 3, "/fields/name"),
    ],
)
async def test_a_bad_row_is_named_by_its_line_and_nothing_is_written(
    api: Any, text: str, line: int, pointer: str
) -> None:
    answer = await api.csv(text)
    assert answer.status_code == 422, answer.text
    assert [(e["line"], e["pointer"]) for e in answer.json()["errors"]] == [(line, pointer)]
    assert await api.listed() == []
    skipped = (await api.csv(text, "?on_error=skip")).json()
    assert (skipped["created"], skipped["failed_lines"]) == (1, 1)


@pytest.mark.parametrize(
    ("body", "status"),
    [
        (b"symbol,name\nA,\xff\n", 400),
        (b"symbol,name\nA,\x00\n", 400),
        (b'symbol,name\nA,"open\n', 400),
        (b'symbol,name\nA,"x"y\n', 400),
        ("symbol,name\nA,a\n".encode("utf-16"), 400),
        (b"", 422),
        (b"symbol,colour\nA,red\n", 422),
        (b"symbol,name,name\nA,a,b\n", 422),
        (b"name;symbol\na;A\n", 422),
    ],
)
async def test_a_broken_file_or_header_is_refused_as_a_whole(
    api: Any, body: bytes, status: int
) -> None:
    answer = await api.csv(body, "?on_error=skip")
    assert answer.status_code == status, answer.text
    assert "red" not in answer.text
    assert await api.listed() == []


async def test_a_named_key_column_must_be_there(api: Any) -> None:
    assert (await api.csv("name\nx\n", "?key=symbol")).status_code == 422


async def test_a_byte_order_mark_of_a_spreadsheet_is_no_part_of_the_header(api: Any) -> None:
    assert (await api.csv(b"\xef\xbb\xbfsymbol,name\nA,a\n")).json()["created"] == 1


async def test_payment_data_is_refused(api: Any) -> None:
    text = "symbol,name\nA,a\nB,378282246310005\n"
    answer = await api.csv(text)
    assert (answer.status_code, answer.json()["type"]) == (422, "/problems/payment-data-refused")
    assert "378282" not in answer.text
    assert (await api.csv(text, "?on_error=skip")).json()["created"] == 1


async def test_the_real_list_of_companies_arrives_whole_and_again_unchanged(api: Any) -> None:
    source = _companies()
    if source is None:
        pytest.skip("the data file is not in this checkout")
    names = "symbol,name,sector,sub_industry,headquarters,date_added,cik,founded"
    text = names + "\n" + source.read_text("utf-8").split("\n", 1)[1]
    outcome = await api.csv(text)
    assert outcome.json()["created"] == 503, outcome.text
    assert (await api.csv(text)).json()["unchanged"] == 503
    given = {row["Symbol"]: row for row in csv.DictReader(io.StringIO(source.read_text("utf-8")))}
    rows = await api.listed("?limit=500")
    assert all(row["fields"]["name"] == given[row["key"]]["Security"] for row in rows)


def _companies() -> Path | None:
    root = Path(__file__).parents[4]
    found = [one for one in root.glob("*/**/sp500.csv") if ".venv" not in one.parts]
    return found[0] if found else None
