"""Reads `$filter` into a predicate; what it cannot read it refuses, it never ignores."""

import json
import operator
import re
from collections.abc import Callable, Mapping
from typing import Any

from sandbox.dataverse import refusals
from sandbox.dataverse.collation import folded
from sandbox.dataverse.refusals import Refusal

Properties = Mapping[str, Any]
Predicate = Callable[[Properties], bool]
CheckName = Callable[[str], None]

_TOKEN = re.compile(
    r"\s*(?:(?P<in>Microsoft\.Dynamics\.CRM\.(?P<not>Not)?In\(PropertyName='(?P<of>\w+)',"
    r"PropertyValues=(?P<list>\[.*?\])\))"
    r"|[\w.]*'(?P<text>(?:[^']|'')*)'"
    r"|(?P<punctuation>[(),])"
    r"|(?P<word>[^\s(),']+))"
)
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


def read_filter(text: str, check_name: CheckName) -> Predicate:
    """`and`, `or`, `not`, parentheses, comparisons, contains/startswith/endswith, In and NotIn."""
    reader = _Reader(text, check_name)
    predicate = reader.either()
    if reader.peek() is not None:
        raise _syntax_error(text)
    return predicate


class _Reader:
    def __init__(self, text: str, check_name: CheckName) -> None:
        self._text = text
        self._check_name = check_name
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

    def either(self) -> Predicate:
        sides = [self.both()]
        while self.peek() == "or":
            self.take()
            sides.append(self.both())
        return lambda row: any(side(row) for side in sides)

    def both(self) -> Predicate:
        sides = [self.term()]
        while self.peek() == "and":
            self.take()
            sides.append(self.term())
        return lambda row: all(side(row) for side in sides)

    def term(self) -> Predicate:
        token = self.take()
        if token["punctuation"] == "(":
            inner = self.either()
            self.expect(")")
            return inner
        if token["in"]:
            return self._membership(token)
        word = token["word"]
        if word == "not":
            inner = self.term()
            return lambda row: not inner(row)
        if word in _FUNCTIONS and self.peek() == "(":
            return self._function(word)
        return self._comparison(word)

    def _membership(self, token: re.Match[str]) -> Predicate:
        name, wanted = token["of"], token["not"] is None
        self._check_name(name)
        try:
            members = {folded(str(value)) for value in json.loads(token["list"])}
        except ValueError:
            raise _syntax_error(self._text) from None
        return lambda row: (folded(str(row.get(name))) in members) is wanted

    def _function(self, word: str) -> Predicate:
        self.expect("(")
        name = self._name(self.take()["word"])
        self.expect(",")
        part = folded(str(self._literal()))
        self.expect(")")
        return lambda row: _FUNCTIONS[word](folded(str(row.get(name) or "")), part)

    def _comparison(self, word: str | None) -> Predicate:
        name = self._name(word)
        compare = _COMPARISONS.get(self.take()["word"] or "")
        if compare is None:
            raise _syntax_error(self._text)
        wanted = _folded(self._literal())
        return lambda row: _compare(compare, _folded(row.get(name)), wanted)

    def _name(self, word: str | None) -> str:
        if word is None:
            raise _syntax_error(self._text)
        self._check_name(word)
        return word

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


def _compare(compare: Callable[[Any, Any], bool], left: Any, right: Any) -> bool:
    if left is None or right is None:
        return compare in (operator.eq, operator.ne) and compare(left, right)
    try:
        return compare(left, right)
    except TypeError:
        return False


def _folded(value: Any) -> Any:
    if isinstance(value, dict):
        value = value.get("Value")
    return folded(value) if isinstance(value, str) else value


def _syntax_error(text: str) -> Refusal:
    return Refusal(400, "0x80060888", f"Syntax error in the filter '{text}'.")


def name_checker(known: Callable[[str], bool], type_name: str) -> CheckName:
    def check(name: str) -> None:
        if not known(name):
            raise refusals.unknown_property(name, type_name)

    return check
