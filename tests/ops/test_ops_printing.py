"""What is printed is data: visible, unmistakable, and without power over the terminal."""

import ast
import json
import re
import unicodedata

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ops import printing
from ops.cli.session import Output, Session
from tests.conftest import ROOT

ESCAPE = re.compile(r"\\u\{([0-9a-f]+)\}")
OPS = sorted((ROOT / "ops").rglob("*.py"))


def unescaped(text: str) -> str:
    return ESCAPE.sub(lambda found: chr(int(found[1], 16)), text)


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("Firm [/] Ltd", "Firm [/] Ltd"),
        ("[red]Firm[/red]", "[red]Firm[/red]"),
        (":smile: \\[bold]", ":smile: \\[bold]"),
        ("\x1b[2J", "\\u{1b}[2J"),
        ("a\nb\rc\td", "a\\u{a}b\\u{d}c\\u{9}d"),
        ("\x7f\x9b", "\\u{7f}\\u{9b}"),
        ("pay \u202eevil\u202c", "pay \\u{202e}evil\\u{202c}"),
        ("\u2066a\u2069", "\\u{2066}a\\u{2069}"),
        ("a\u200bb\u00ad", "a\\u{200b}b\\u{ad}"),
        ("\ue000\U000f0000", "\\u{e000}\\u{f0000}"),
        ("\u3164\u2800\ufe0f", "\\u{3164}\\u{2800}\\u{fe0f}"),
        ("a\u2028b\u00a0c", "a\\u{2028}b\\u{a0}c"),
        ("\ud800", "\\u{d800}"),
        ("\\u{1b}", "\\u{5c}u{1b}"),
        ("Größe 株式会社 Ελλάς", "Größe 株式会社 Ελλάς"),
    ],
)
def test_a_text_is_shown_in_visible_characters(text, shown):
    assert printing.escaped(text) == shown


@given(st.text(max_size=40))
def test_nothing_hidden_is_left_and_no_two_texts_look_the_same(text):
    shown = printing.escaped(text)
    assert unescaped(shown) == text
    hidden = {"Cc", "Cf", "Cs", "Co", "Cn", "Zl", "Zp"}
    assert not [one for one in shown if unicodedata.category(one) in hidden]


HOSTILE = "Firm [/] \x1b]0;x\x07\u202e[bold]"


def test_lines_tables_and_errors_show_markup_and_escape_control(capsys):
    printing.say((HOSTILE, "bold"), HOSTILE)
    printing.complain(HOSTILE)
    printing.show_table(["name"], [[HOSTILE]])
    with printing.progress(HOSTILE) as show:
        show(HOSTILE)
    done = capsys.readouterr()
    assert done.out.count("Firm [/] \\u{1b}]0;x\\u{7}\\u{202e}[bold]") == 3
    assert "Firm [/] \\u{1b}" in done.err
    assert not set("\x1b\x07\u202e") & set(done.out + done.err)


@pytest.mark.parametrize("value", [HOSTILE, [HOSTILE], {HOSTILE: HOSTILE}, "é\x7f", None, 1])
def test_json_stays_the_same_value_in_harmless_characters(capsys, value):
    printing.show_json({"value": value})
    out = capsys.readouterr().out
    assert json.loads(out) == {"value": value}
    assert out.replace("\n", "").isascii()
    assert out.replace("\n", "").isprintable()


@pytest.mark.parametrize("output", list(Output))
def test_results_of_a_command_are_printed_so(capsys, tmp_path, output):
    here = Session(tmp_path / "none", output)
    row = {"id": "1", "name": HOSTILE, "more": {"deep": HOSTILE}}
    here.show([row], ("id", "name", "more"))
    here.show_one(row)
    out = capsys.readouterr().out
    assert not set("\x1b\x07\u202e") & set(out)
    assert "Firm [/]" in out


def test_ops_prints_in_one_place_only():
    """No other module of ops can write to a terminal past the escaping."""
    ways = {"print", "typer.echo", "typer.secho", "click.echo", "Console", "sys.__stdout__"}
    for path in OPS:
        if path.name == "printing.py":
            continue
        text, tree = path.read_text(), ast.parse(path.read_text())
        names = {ast.unparse(one.func) for one in ast.walk(tree) if isinstance(one, ast.Call)}
        assert not names & ways, path
        assert not re.search(r"std(out|err)\.(buffer\.)?write|os\.write\(", text), path
        assert not re.search(r"^\s*(from|import) rich\b", text, re.MULTILINE), path
