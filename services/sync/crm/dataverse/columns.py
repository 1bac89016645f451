"""A mapped column as the CRM describes it now, and in words what has changed about it; pure."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from hashlib import blake2b
from typing import Any

TEXTS = frozenset({"String", "Memo"})
WHOLES = frozenset({"Integer", "BigInt"})
NUMBERS = frozenset({"Decimal", "Double", "Money"})
CHOICES = frozenset({"Picklist", "State", "Status"})
MANY_CHOICES = frozenset({"MultiSelectPicklist"})
LOOKUPS = frozenset({"Lookup", "Customer", "Owner"})
DETAILED = TEXTS | WHOLES | NUMBERS | CHOICES | MANY_CHOICES | {"DateTime"}
WRITTEN = DETAILED | LOOKUPS | {"Boolean", "Uniqueidentifier"}
_SHOWN_OPTIONS = 10

Facts = Mapping[str, Any]


@dataclass(frozen=True)
class TypedColumn:
    """What decides whether a value fits; of what the column's type does not have, the defaults."""

    name: str
    type: str
    is_required: bool = False
    is_writable: bool = True
    max_length: int | None = None
    lowest: int | float | None = None
    highest: int | float | None = None
    decimals: int | None = None
    behaviour: str = ""
    options: Mapping[int, frozenset[str]] = field(default_factory=dict)
    navigation: str = ""

    def facts(self) -> dict[str, Any]:
        """In JSON, as it is stored; labels as a digest: they are the customer's words."""
        labels = sorted((number, sorted(names)) for number, names in self.options.items())
        return {
            "type": self.type,
            "required": self.is_required,
            "writable": self.is_writable,
            "max_length": self.max_length,
            "range": [_bound(self.lowest), _bound(self.highest)],
            "decimals": self.decimals,
            "behaviour": self.behaviour,
            "options": sorted(self.options),
            "labels": blake2b(repr(labels).encode(), digest_size=8).hexdigest(),
            "navigation": self.navigation,
        }


def changes(before: Mapping[str, Facts | None], now: Mapping[str, Facts | None]) -> Iterator[str]:
    """A sentence for each difference that matters to somebody; a column that was not looked at
    before is none."""
    for name, facts in now.items():
        if name not in before or before[name] == facts:
            continue
        then = before[name]
        if facts is None:
            yield f"the column {name!r} is gone"
        elif then is None:
            yield f"the column {name!r} is there again"
        else:
            yield from (f"the column {name!r} {words}" for words in _differences(then, facts))


def _differences(then: Facts, now: Facts) -> Iterator[str]:
    if then["type"] != now["type"]:
        yield f"is of another type ({now['type']}, before {then['type']})"
        return
    if then["writable"] != now["writable"]:
        yield "can be written again" if now["writable"] else "cannot be written any more"
    if then["required"] != now["required"]:
        yield "is required now" if now["required"] else "is not required any more"
    if then["max_length"] != now["max_length"]:
        yield f"takes {_most(now)} UTF-16 units, before {_most(then)}"
    if then["range"] != now["range"]:
        yield "takes another range of numbers"
    if then["decimals"] != now["decimals"]:
        yield f"takes {now['decimals']} decimals, before {then['decimals']}"
    if then["behaviour"] != now["behaviour"]:
        yield f"treats times as {now['behaviour']}, before {then['behaviour']}"
    if then["navigation"] != now["navigation"]:
        yield "refers to its table under another name"
    if then.get("key") != now.get("key"):
        yield "is an alternate key in another state"
    yield from _of_options(then, now)


def _of_options(then: Facts, now: Facts) -> Iterator[str]:
    gone = sorted(set(then["options"]) - set(now["options"]))
    fresh = sorted(set(now["options"]) - set(then["options"]))
    if gone:
        yield f"has lost options: {_listed(gone)}"
    if fresh:
        yield f"has new options: {_listed(fresh)}"
    if not gone and not fresh and then["labels"] != now["labels"]:
        yield "has other labels for its options"


def _listed(numbers: list[int]) -> str:
    shown = ", ".join(map(str, numbers[:_SHOWN_OPTIONS]))
    return shown if len(numbers) <= _SHOWN_OPTIONS else f"{shown} and {len(numbers)} in all"


def _most(facts: Facts) -> str:
    return "any number of" if facts["max_length"] is None else str(facts["max_length"])


def _bound(number: float | None) -> str | None:
    """As text: PostgreSQL's JSON would write a number in another way than we do."""
    return None if number is None else repr(number)
