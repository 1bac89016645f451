"""Strict JSON: keys and values are looked at alike, depth is counted at its edge, costs grow with
the text."""

import json

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from kit import strict_json
from tests.growth import TWICE, growth

SCALARS = (
    st.none()
    | st.booleans()
    | st.integers()
    | st.text()
    | (st.floats(allow_nan=False, allow_infinity=False))
)
VALUES = st.recursive(
    SCALARS,
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(), inner, max_size=4),
    max_leaves=30,
)


def refused(data: bytes, **options: int) -> str:
    with pytest.raises(strict_json.StrictJsonError) as caught:
        strict_json.loads(data, **options)
    return caught.value.reason


def depth(value: object) -> int:
    inner = value.values() if isinstance(value, dict) else value if isinstance(value, list) else []
    return 1 + max(map(depth, inner), default=0) if isinstance(value, (dict, list)) else 0


def test_every_value_of_json_comes_back_as_it_was():
    @given(VALUES)
    @settings(max_examples=300, deadline=None)
    def same(value: object) -> None:
        for text in (json.dumps(value), json.dumps(value, ensure_ascii=False)):
            try:
                data = text.encode()
            except UnicodeEncodeError:
                continue
            strange = "\x00" in str(value) or "\\u0000" in text or "\\ud" in text
            try:
                assert strict_json.loads(data) == value
            except strict_json.StrictJsonError:
                assert strange

    same()


def test_depth_is_counted_as_the_parser_nests_at_its_edge():
    @given(VALUES, st.integers(1, 8))
    @settings(max_examples=300, deadline=None)
    def agree(value: object, limit: int) -> None:
        data = json.dumps(json.loads(json.dumps(value).replace("\\u", "u"))).encode()
        if depth(json.loads(data)) <= limit:
            strict_json.loads(data, max_depth=limit)
        else:
            assert "nested deeper" in refused(data, max_depth=limit)

    agree()


@pytest.mark.parametrize("pair", [(b"[", b"]"), (b'{"a":', b"}"), (b'[{"[\\"":[', b"]}]")])
def test_the_last_allowed_level_passes_and_one_more_does_not(pair):
    levels = pair[0].count(b"[") + pair[0].count(b"{") - pair[0].count(b'"[')
    for limit in (levels * 10, levels * 11):
        data = pair[0] * 10 + b"1" + pair[1] * 10
        strict_json.loads(data, max_depth=limit)
    assert "nested deeper" in refused(pair[0] * 11 + b"1" + pair[1] * 11, max_depth=levels * 10)
    assert "nested deeper" in refused(pair[0] * 100_000)


def test_brackets_in_strings_are_no_depth():
    for text in ('"[[[["', '"\\"[[[["', '"\\\\", "[[[["', '"a\\\\\\"[[[["', '"\\\\\\\\"', '"]]]]"'):
        assert len(strict_json.loads(f"[{text}, [1]]".encode(), max_depth=2)) > 1
        assert "nested deeper" in refused(f"[{text}, [[1]]]".encode(), max_depth=2)


HOSTILE = {
    r"\u0000": "NUL",
    r"\ud800": "lone surrogate",
    r"\udc00": "lone surrogate",
    r"\uDBFF\u0041": "lone surrogate",
    r"\ud83d\ud83d\ude00": "lone surrogate",
    r"\ud83d\ude00\ude00": "lone surrogate",
    r"\ud83d\\\\\ude00": "lone surrogate",
    r"\\\ud800": "lone surrogate",
    r"\\\\\u0000": "NUL",
}
HARMLESS = (
    r"\\u0000",
    r"\\ud800",
    r"\ud83d\ude00",
    r"\uD83D\uDE00\ud83d\ude00",
    r"\\\\ud800",
    "😀",
)


@pytest.mark.parametrize("place", ['"%s"', '{"%s": 1}', '{"a": ["%s"]}', '[{"b": {"%s": null}}]'])
def test_a_key_is_looked_at_like_a_value(place):
    for text, reason in HOSTILE.items():
        assert reason in refused((place % text).encode()), text
    for text in HARMLESS:
        strict_json.loads((place % text).encode())


@pytest.mark.parametrize(
    "unit", [b"[],", b"{},", b'"[",', b'"",', b"1,", b'"\\"[",', b"[[[[[[1]]]]]],", b'{"a":1},']
)
def test_twice_the_text_costs_at_most_twice_and_a_bit(unit):
    def make(size: int) -> bytes:
        return bytes(b"[" + unit * (size // len(unit)) + b"0]")

    assert growth(strict_json.loads, make, 64_000) < TWICE


@pytest.mark.parametrize("unit", [b"[],", b'"[",', b"[[[[[[1]]]]]],", b'"\\"[",'])
def test_the_checks_cost_little_beside_the_parsing(unit):
    data = b"[" + unit * (64_000 // len(unit)) + b"0]"
    parse = {1: lambda text: json.loads(text, object_pairs_hook=dict), 2: strict_json.loads}
    assert growth(lambda which: parse[which](data), lambda which: which, 1) < 3
