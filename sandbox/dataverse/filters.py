"""Reads `$filter` into a test of rows; what it cannot read it refuses, it never ignores."""

import json
import operator
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from sandbox.dataverse import refusals
from sandbox.dataverse.collation import folded
from sandbox.dataverse.refusals import Refusal

Values = Mapping[str, Any]
Predicate = Callable[[Values], bool]
ColumnOf = Callable[[str], str]
"""The column behind a property's name; refuses a name that there is not."""

_MEMBER = r"""'(?:[^']|'')*'|"(?:[^"\\]|\\.)*"|[\w.:+-]+"""
_TOKEN = re.compile(
    r"\s*(?:(?P<in>Microsoft\.Dynamics\.CRM\.(?P<not>Not)?In\(\s*PropertyName='(?P<of>\w+)'\s*,"
    rf"\s*PropertyValues=\[(?P<list>(?:\s*+(?:{_MEMBER})\s*+(?:,|(?=\])))*+)\s*\]\s*\))"
    r"|[\w.]*'(?P<text>(?:[^']|'')*)'"
    r"|(?P<punctuation>[(),])"
    r"|(?P<word>[^\s(),']+))"
)
_MEMBERS = re.compile(_MEMBER)
_COMPARISONS: dict[str, Callable[[Any, Any], bool]] = {
    "eq": operator.eq,
    "ne": operator.ne,
    "gt": operator.gt,
    "ge": operator.ge,
    "lt": operator.lt,
    "le": operator.le,
}
_FUNCTIONS: dict[str, Callable[[str, str], bool]] = {
    "contains": lambda text, part: part in text,
    "startswith": str.startswith,
    "endswith": str.endswith,
}


@dataclass(frozen=True)
class Filter:
    """`keep` says whether a row is meant. Rows outside of `within` never are.

    `within` is a column and the only values it may have, where the filter's form says so: this
    lets a read of a thousand keys use an index, as the real database does.
    """

    keep: Predicate
    within: tuple[str, frozenset[Any]] | None = None


def read_filter(text: str, column_of: ColumnOf) -> Filter:
    """`and`, `or`, `not`, parentheses, comparisons, contains/startswith/endswith, In and NotIn."""
    reader = _Reader(text, column_of)
    try:
        found = reader.either()
    except RecursionError:
        raise _syntax_error(text) from None
    if reader.peek() is not None:
        raise _syntax_error(text)
    return found


class _Reader:
    def __init__(self, text: str, column_of: ColumnOf) -> None:
        self._text = text
        self._column_of = column_of
        self._tokens = _tokens(text)
        self._at = 0

    def peek(self) -> str | None:
        return self._tokens[self._at].group().strip() if self._at < len(self._tokens) else None

    def take(self) -> re.Match[str]:
        if self._at >= len(self._tokens):
            raise _syntax_error(self._text)
        self._at += 1
        return self._tokens[self._at - 1]

    def expect(self, punctuation: str) -> None:
        if self.take()["punctuation"] != punctuation:
            raise _syntax_error(self._text)

    def either(self) -> Filter:
        sides = [self.both()]
        while self.peek() == "or":
            self.take()
            sides.append(self.both())
        if len(sides) == 1:
            return sides[0]
        tests = [side.keep for side in sides]
        return Filter(lambda row: any(test(row) for test in tests), _united(sides))

    def both(self) -> Filter:
        sides = [self.term()]
        while self.peek() == "and":
            self.take()
            sides.append(self.term())
        if len(sides) == 1:
            return sides[0]
        tests = [side.keep for side in sides]
        within = next((side.within for side in sides if side.within), None)
        return Filter(lambda row: all(test(row) for test in tests), within)

    def term(self) -> Filter:
        token = self.take()
        if token["punctuation"] == "(":
            inner = self.either()
            self.expect(")")
            return inner
        if token["in"]:
            return self._membership(token)
        word = token["word"]
        if word == "not":
            test = self.term().keep
            return Filter(lambda row: not test(row))
        if word in _FUNCTIONS and self.peek() == "(":
            return self._function(word)
        return self._comparison(word)

    def _membership(self, token: re.Match[str]) -> Filter:
        name, wanted = self._column_of(token["of"]), token["not"] is None
        members = frozenset(folded(_member(text)) for text in _MEMBERS.findall(token["list"]))
        return Filter(
            lambda row: row.get(name) is not None and (_text(row, name) in members) is wanted,
            (name, members) if wanted else None,
        )

    def _function(self, word: str) -> Filter:
        self.expect("(")
        name = self._name(self.take()["word"])
        self.expect(",")
        part = folded(str(self._literal()))
        self.expect(")")
        return Filter(lambda row: _FUNCTIONS[word](_text(row, name), part))

    def _comparison(self, word: str | None) -> Filter:
        name = self._name(word)
        compare = _COMPARISONS.get(self.take()["word"] or "")
        if compare is None:
            raise _syntax_error(self._text)
        wanted = _folded(self._literal())
        only = compare is operator.eq and isinstance(wanted, str)
        return Filter(
            lambda row: _compare(compare, _folded(row.get(name)), wanted),
            (name, frozenset([wanted])) if only else None,
        )

    def _name(self, word: str | None) -> str:
        if word is None:
            raise _syntax_error(self._text)
        return self._column_of(word)

    def _literal(self) -> Any:
        token = self.take()
        if token["text"] is not None:
            return token["text"].replace("''", "'")
        word = token["word"]
        if word is None:
            raise _syntax_error(self._text)
        if re.fullmatch(r"-?\d+(\.\d+)?|true|false|null", word):
            return json.loads(word)
        return word  # a date, a time or a guid: these are stored as such text


def _tokens(text: str) -> list[re.Match[str]]:
    found, at = [], 0
    while at < len(text.rstrip()):
        match = _TOKEN.match(text, at)
        if match is None:
            raise _syntax_error(text)
        found.append(match)
        at = match.end()
    return found


def _united(sides: list[Filter]) -> tuple[str, frozenset[Any]] | None:
    """What all sides of an `or` are within, if it is always the same column."""
    parts = [side.within for side in sides]
    if not all(part and parts[0] and part[0] == parts[0][0] for part in parts):
        return None
    known = [part for part in parts if part]
    return known[0][0], frozenset().union(*(members for _, members in known))


def _member(text: str) -> str:
    """Members of a list stand between either kind of quotation mark, numbers also without."""
    if text.startswith("'"):
        return text[1:-1].replace("''", "'")
    try:
        return str(json.loads(text)) if text.startswith('"') else text
    except ValueError:
        raise _syntax_error(text) from None


def _compare(compare: Callable[[Any, Any], bool], left: Any, right: Any) -> bool:
    if left is None or right is None:
        return compare in (operator.eq, operator.ne) and compare(left, right)
    try:
        return compare(left, right)
    except TypeError:
        return False


def _text(row: Values, name: str) -> str:
    value = row.get(name)
    return folded(str(value)) if value is not None else ""


def _folded(value: Any) -> Any:
    if isinstance(value, dict):
        value = value.get("Value")
    return folded(value) if isinstance(value, str) else value


def _syntax_error(text: str) -> Refusal:
    return Refusal(400, "0x80060888", f"Syntax error in the filter '{text}'.")


def any_of(names: Mapping[str, str], type_name: str) -> ColumnOf:
    """Looks names up among these."""

    def column_of(name: str) -> str:
        if name not in names:
            raise refusals.unknown_property(name, type_name)
        return names[name]

    return column_of
