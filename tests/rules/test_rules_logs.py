"""A line in a log is fixed words with named fields: no value within the words, no field unnamed."""

import ast
from collections.abc import Iterator
from pathlib import Path

import pytest

from contracts import log_fields
from kit import logs

ROOT = Path(__file__).parents[2]
PACKAGES = ("kit", "contracts", "tenantdb", "services", "gateway", "ops")
SOURCES = sorted(path for package in PACKAGES for path in (ROOT / package).rglob("*.py"))
NAMED = logs.FIELDS | log_fields.FIELDS | {"exc_info", "extra"}
DEEDS = {"info", "warning", "error", "exception", "bind"}


def lines_of(source: str) -> Iterator[ast.Call]:
    for node in ast.walk(ast.parse(source)):
        match node:
            case ast.Call(func=ast.Attribute(value=ast.Name(id="log" | "_log"), attr=deed)):
                if deed in DEEDS:
                    yield node


def faults_of(source: str) -> list[str]:
    found = []
    for line in lines_of(source):
        extra = [one.value for one in line.keywords if one.arg == "extra"]
        keys = [key for one in extra if isinstance(one, ast.Dict) for key in one.keys]
        names = {one.arg for one in line.keywords if one.arg}
        names |= {str(key.value) for key in keys if isinstance(key, ast.Constant)}
        found += [f"{line.lineno}: {name} is not named" for name in sorted(names - NAMED)]
        if len(line.args) > 1 or any(not _is_fixed(one) for one in line.args):
            found.append(f"{line.lineno}: a value within the words")
    return found + [f"extra: {name} is not named" for name in sorted(given_apart(source) - NAMED)]


def given_apart(source: str) -> set[str]:
    """Fields that are put together before, in a dictionary called `extra`."""
    return {
        str(key.value)
        for node in ast.walk(ast.parse(source))
        if isinstance(node, ast.Assign) and "extra" in ast.unparse(node.targets[0])
        for made in ast.walk(node.value)
        if isinstance(made, ast.Dict)
        for key in made.keys
        if isinstance(key, ast.Constant)
    }


def _is_fixed(words: ast.expr) -> bool:
    """A text, or what stands for one (`event.value`): nothing that is put together here."""
    return isinstance(words, ast.Constant | ast.Name | ast.Attribute)


@pytest.mark.parametrize("path", SOURCES, ids=lambda path: str(path.relative_to(ROOT)))
def test_a_line_is_fixed_words_and_named_fields(path: Path) -> None:
    assert not faults_of(path.read_text())


def test_there_are_lines() -> None:
    assert sum(len(list(lines_of(path.read_text()))) for path in SOURCES) > 30


@pytest.mark.parametrize(
    "line",
    [
        '_log.info(f"done {tenant}")',
        '_log.info("done %s", tenant)',
        '_log.info("done " + tenant)',
        '_log.info("done {}".format(tenant))',
        '_log.info("done", email=email)',
        "_log.bind(email=email)",
        '_log.info("done", extra={"email": email})',
        'extra = {"email": email}',
    ],
)
def test_the_rule_is_seen_to_be_broken(line: str) -> None:
    assert len(faults_of(line)) == 1
