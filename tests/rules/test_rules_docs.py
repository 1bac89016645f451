"""The pages tell the truth: promises, tests, links, decisions and commands that they name exist."""

import ast
import re
from functools import cache
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
PAGES = [ROOT / "README.md", ROOT / "CHANGELOG.md", *sorted((ROOT / "docs").rglob("*.md"))]
DECISIONS = sorted((ROOT / "docs" / "adr").glob("[0-9]*.md"))
SECTIONS = ["Context", "Decision", "Consequences", "Alternatives", "Enforced by"]
WIDTH = 100

LINK = re.compile(r"\]\(([^)\s]+)\)")
TEST = re.compile(r"(tests/[\w/]+\.py)(?:::(\w+))?")


def name_of(path: Path) -> str:
    return str(path.relative_to(ROOT))


@cache
def functions_in(path: Path) -> frozenset[str]:
    """The names of the test functions of a file, in classes too; empty where there is no file."""
    tree = ast.parse(path.read_text() if path.is_file() else "")
    functions = (ast.FunctionDef, ast.AsyncFunctionDef)
    return frozenset(node.name for node in ast.walk(tree) if isinstance(node, functions))


def promises() -> list[list[str]]:
    """promise, module, test, state of every row of every table."""
    lines = (ROOT / "docs" / "promises.md").read_text().splitlines()
    rows = [
        [cell.strip() for cell in line.strip("|").split("|")] for line in lines if line[:1] == "|"
    ]
    return [row for row in rows if row[0] != "promise" and set(row[0]) != {"-"}]


def fault_of(row: list[str]) -> str:
    """What is wrong with a row of the promises; empty where it is right."""
    if len(row) != 4:
        return "needs four cells"
    _promise, module, test, state = row
    if state != "kept":
        well = state == "not yet" or state.startswith("not yet: ")
        return "" if well else "is neither kept nor not yet"
    if not (ROOT / module).exists():
        return f"names a module that is not there: {module}"
    place, _, function = test.partition("::")
    return (
        "" if function in functions_in(ROOT / place) else f"names a test that is not there: {test}"
    )


def test_every_kept_promise_names_a_module_and_a_test_that_exist():
    rows = promises()
    assert len(rows) > 40
    assert not {row[0]: fault_of(row) for row in rows if fault_of(row)}
    assert sum(row[-1] == "kept" for row in rows) > 30


@pytest.mark.parametrize(
    "row",
    [
        ["A promise", "kit/db.py", "tests/kit/test_migrate.py::test_that_is_not_there", "kept"],
        ["A promise", "kit/db.py", "tests/kit/test_not_there.py::test_each_migration", "kept"],
        ["A promise", "kit/not_there.py", "-", "kept"],
        ["A promise", "kit/db.py", "-", "kept"],
        ["A promise", "kit/db.py", "-", "soon"],
        ["A promise", "kit/db.py", "kept"],
    ],
)
def test_the_rule_sees_a_promise_that_nothing_proves(row):
    assert fault_of(row)


@pytest.mark.parametrize("page", PAGES, ids=name_of)
def test_every_relative_link_resolves(page):
    targets = [link.partition("#")[0] for link in LINK.findall(page.read_text())]
    inside = [target for target in targets if target and "://" not in target]
    assert not [target for target in inside if not (page.parent / target).exists()]


@pytest.mark.parametrize("page", PAGES, ids=name_of)
def test_every_test_that_a_page_names_exists(page):
    named = TEST.findall(page.read_text())
    missing = [
        f"{path}::{function}"
        for path, function in named
        if not (ROOT / path).is_file() or (function and function not in functions_in(ROOT / path))
    ]
    assert not missing


@pytest.mark.parametrize("page", PAGES, ids=name_of)
def test_prose_fits_the_width(page):
    """Rows of tables and single long words are exempt: they cannot be broken."""
    lines = page.read_text().splitlines()
    prose = [(number, line) for number, line in enumerate(lines, 1) if line[:1] != "|"]
    long = [number for number, line in prose if len(line) > WIDTH and " " in line.strip()]
    assert not long


@pytest.mark.parametrize("page", DECISIONS, ids=name_of)
def test_a_decision_has_its_five_sections_and_one_quotable_sentence(page):
    text = page.read_text()
    assert re.findall(r"^## (.+)$", text, re.MULTILINE) == SECTIONS
    decision = text.partition("## Decision\n")[2].partition("\n## ")[0].strip().splitlines()
    assert decision
    assert all(line.startswith("> ") for line in decision)
    assert f"({page.name})" in (page.parent / "README.md").read_text()


def test_there_are_decisions_in_one_row_of_numbers():
    numbers = [int(page.name[:4]) for page in DECISIONS]
    assert numbers == list(range(1, len(numbers) + 1))
    assert len(numbers) > 10


def test_every_make_target_that_the_readme_names_exists():
    targets = set(re.findall(r"^([a-z-]+):", (ROOT / "Makefile").read_text(), re.MULTILINE))
    named = set(re.findall(r"`make ([a-z-]+)`", (ROOT / "README.md").read_text()))
    assert {"run", "demo", "test"} <= named
    assert named <= targets


def test_the_architecture_names_lint_contracts_that_exist():
    contracts = set(re.findall(r"^\[importlinter:contract:([\w-]+)\]", lint(), re.MULTILINE))
    page = (ROOT / "docs" / "architecture.md").read_text()
    rows = "".join(line for line in page.splitlines() if "import-linter:" in line)
    named = set(re.findall(r"`([\w-]+)`", rows.replace("owner-*", "owner-amqp")))
    assert named
    assert named <= contracts


def lint() -> str:
    return (ROOT / ".importlinter").read_text()


def test_every_metric_stands_in_the_guide():
    """By the name under which it is scraped: counters end in _total."""
    guide = (ROOT / "docs" / "guides" / "observe.md").read_text()
    pattern = re.compile(r'\b(Counter|Gauge|Histogram)\(\s*"(\w+)"')
    for folder in ("kit", "contracts", "tenantdb", "services", "gateway"):
        for path in (ROOT / folder).rglob("*.py"):
            for kind, name in pattern.findall(path.read_text()):
                ending = "_total" if kind == "Counter" and not name.endswith("_total") else ""
                assert f"`{name}{ending}" in guide, f"{path.name}: {name}"
