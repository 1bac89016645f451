"""Names show all that they hold; the joiners stay where a script needs them."""

import unicodedata
from typing import Annotated

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import Field, TypeAdapter, ValidationError

from kit.display_text import DisplayText, DisplayTextRefused, fault

TYPE = TypeAdapter(Annotated[DisplayText, Field(min_length=1, max_length=10)])

GOOD = {
    "plain": "Alder Trading",
    "markup is text": "Firm [/] Ltd",
    "accents": "Zoë & Sønner",
    "decomposed accents": "Zoe\u0308",
    "Chinese": "日本 株式会社",
    "Arabic": "شركة",
    "Hebrew": "חברה",
    "emoji": "Firm ☕",
    "ZWNJ between joining letters (A.1)": "می\u200cخواهم",
    "ZWNJ across marks (A.1)": "م\u0650\u200c\u0650خ",
    "ZWNJ after a virama (A.1)": "क्\u200cष",
    "ZWJ after a virama (A.2)": "क्\u200dष",
    "ideographic blank inside": "山田\u3000太郎",
}
BAD = {
    "escape": "a\x1b[31mb",
    "newline": "a\nb",
    "tab": "a\tb",
    "NUL": "a\x00b",
    "delete": "a\x7fb",
    "C1 control": "a\x9bb",
    "right-to-left override": "invoice\u202excod.exe",
    "isolate": "a\u2066b",
    "right-to-left mark": "a\u200fb",
    "Arabic letter mark": "a\u061cb",
    "zero width space": "a\u200bb",
    "word joiner": "a\u2060b",
    "byte order mark": "a\ufeffb",
    "soft hyphen": "a\u00adb",
    "combining grapheme joiner": "a\u034fb",
    "Hangul filler": "a\u3164b",
    "half-width Hangul filler": "a\uffa0b",
    "Khmer inherent vowel": "a\u17b4b",
    "blank of Braille": "a\u2800b",
    "variation selector": "a\ufe0fb",
    "variation selector supplement": "葛\U000e0100",
    "last variation selector": "葛\U000e01ef",
    "Mongolian separator": "a\u180eb",
    "tag": "a\U000e0041b",
    "private use": "a\ue000b",
    "private plane": "a\U0010fffdb",
    "unassigned": "a\u0378b",
    "noncharacter": "a\uffffb",
    "lone surrogate": "a\ud800b",
    "line separator": "a\u2028b",
    "ZWNJ between Latin letters": "a\u200cb",
    "ZWNJ at the start": "\u200cخ",
    "ZWNJ at the end": "م\u200c",
    "ZWNJ after a letter that joins to the right only": "د\u200cخ",
    "ZWJ between Latin letters": "a\u200db",
    "ZWJ between emoji": "👩\u200d💻",
    "ZWJ between Arabic letters": "م\u200dخ",
    "ZWJ at the start": "\u200dक",
    "two joiners": "क्\u200d\u200dष",
    "joiner beside an unassigned character": "\u0378\u200d",
    "blank in front": " a",
    "blank behind": "a ",
    "no-break blank behind": "a\u00a0",
    "only a blank": "\u3000",
}


@pytest.mark.parametrize("text", GOOD.values(), ids=GOOD)
def test_names_of_any_script_are_taken(text):
    assert fault(text) is None


@pytest.mark.parametrize("text", BAD.values(), ids=BAD)
def test_what_is_not_seen_or_changes_what_is_seen_is_refused(text):
    assert fault(text)


def test_the_refusal_says_why_and_never_repeats_the_text():
    with pytest.raises(ValidationError) as caught:
        TYPE.validate_python("a\x1b[b")
    reason = caught.value.errors()[0]["ctx"]["error"]
    assert isinstance(reason, DisplayTextRefused)
    assert "control" in reason.public
    assert "\x1b" not in reason.public


@pytest.mark.parametrize(("length", "fits"), [(0, False), (1, True), (10, True), (11, False)])
def test_lengths_are_given_beside_the_type(length, fits):
    if fits:
        assert TYPE.validate_python("x" * length)
    else:
        with pytest.raises(ValidationError):
            TYPE.validate_python("x" * length)


@given(st.text(max_size=30))
def test_nothing_that_is_taken_can_steer_a_terminal_or_the_direction_of_text(text):
    if fault(text) is None:
        kinds = {unicodedata.category(c) for c in text if c not in "\u200c\u200d"}
        assert not kinds & {"Cc", "Cf", "Cs", "Co", "Cn", "Zl", "Zp"}
        text.encode()
