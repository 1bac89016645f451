"""What the tenants' records are made of: real companies, generated persons."""

import csv
import io
import json
import random
from pathlib import Path
from typing import Any

from ops import bodies

_SP500 = Path(__file__).parent / "data" / "sp500.csv"
_COLUMNS = {
    "Symbol": "symbol",
    "Security": "name",
    "GICS Sector": "sector",
    "GICS Sub-Industry": "sub_industry",
    "Headquarters Location": "headquarters",
    "Date added": "date_added",
    "CIK": "cik",
    "Founded": "founded",
}
_FIRST = "Ada Bo Chiara Dmitri Eun Fatima Gaël Hiro Inés Jürgen Kwame Łucja Mara Nils".split()
_LAST = "Ångström Brown Çelik Dubois Eriksen Fischer García Hansen Ito Jansen Kovač".split()
_TITLES = ("Buyer", "Chief Financial Officer", "Engineer", "Head of Sales", "Managing Director")


def companies_csv() -> bytes:
    """The 503 companies with our column names in the head; the lines are as published."""
    head, _, lines = _SP500.read_text("utf-8").partition("\n")
    names = [_COLUMNS[name] for name in next(csv.reader(io.StringIO(head)))]
    return (",".join(names) + "\n" + lines).encode()


def companies() -> list[dict[str, str]]:
    """The same as dictionaries of our fields."""
    return list(csv.DictReader(io.StringIO(companies_csv().decode())))


def persons(count: int, symbols: list[str], seed: int = 7) -> bytes:
    """`count` generated persons as NDJSON for a bulk upsert; none of them exists."""
    chance = random.Random(seed)  # noqa: S311  # repeatable on purpose, nothing secret
    return ndjson([_person(n, chance, symbols) for n in range(count)])


def ndjson(rows: list[dict[str, Any]]) -> bytes:
    """One JSON object a line."""
    return b"".join(json.dumps(row, ensure_ascii=False).encode() + b"\n" for row in rows)


def _person(number: int, chance: random.Random, symbols: list[str]) -> dict[str, Any]:
    first, last = chance.choice(_FIRST), chance.choice(_LAST)
    fields = {
        "first_name": first,
        "last_name": last,
        "email": f"person{number}@example.com",
        "phone": f"+44 20 7946 {number % 10000:04}",
        "title": chance.choice(_TITLES),
        "organisation": chance.choice(symbols),
    }
    return bodies.row(f"P{number:05}", fields)
