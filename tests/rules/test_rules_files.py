"""The house: short files, plain names, one purpose each; nothing that does not belong."""

import ast
import re
import subprocess
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
CODE = ("kit", "contracts", "tenantdb", "services", "gateway", "ops", "sandbox")
FILES = sorted(p for folder in CODE for p in (ROOT / folder).rglob("*.py"))
BANNED = {"service", "utils", "helpers", "common", "core", "manager", "base", "misc", "util"}
LONGEST = 300


def test_there_is_code_to_look_at():
    assert len(FILES) > 100


@pytest.mark.parametrize("path", FILES, ids=lambda path: str(path.relative_to(ROOT)))
def test_a_file_is_short_well_named_and_says_its_purpose(path):
    text = path.read_text()
    assert text.count("\n") <= LONGEST
    assert path.stem not in BANNED
    tree = ast.parse(text)
    assert not tree.body or ast.get_docstring(tree), "opens with its purpose"


def test_tests_are_short_too():
    long = [p.name for p in (ROOT / "tests").rglob("*.py") if p.read_text().count("\n") > 300]
    assert not long


def calls(tree: ast.AST, name: str) -> bool:
    return any(
        isinstance(node, ast.Call)
        and isinstance(node.func, ast.Attribute | ast.Name)
        and ast.unparse(node.func).endswith(name)
        for node in ast.walk(tree)
    )


def imports(path: Path) -> set[str]:
    nodes = list(ast.walk(ast.parse(path.read_text())))
    plain = {one.name for node in nodes if isinstance(node, ast.Import) for one in node.names}
    return plain | {str(node.module) for node in nodes if isinstance(node, ast.ImportFrom)}


@pytest.mark.parametrize(
    ("call", "owners"),
    [
        (".commit", ("kit/",)),
        ("asyncpg.connect", ("kit/", "tenantdb/", "ops/", "services/tenants/")),
        ("asyncpg.create_pool", ()),
        ("create_async_engine", ("kit/",)),
        ("os.fsync", ("kit/files.py",)),
        ("draft.replace", ("kit/files.py",)),
        ("logging.getLogger", ("kit/logs.py", "ops/cli/")),
        ("FencedSession", ("services/backup/store/turns.py",)),
    ],
)
def test_only_the_owner_makes_this_call(call, owners):
    for path in FILES:
        place = str(path.relative_to(ROOT))
        if not place.startswith(owners):
            assert not calls(ast.parse(path.read_text()), call), place


def test_the_injected_name_is_out_of_reach_of_every_setting():
    """Only tests and the local launcher may let the egress guard reach this machine."""
    users = {
        str(path.relative_to(ROOT))
        for path in FILES
        if "InjectedName" in path.read_text() and "services/sync/egress" not in str(path)
    }
    assert users == {"ops/local/sync/__main__.py"}
    egress = [path for path in FILES if "services/sync/egress" in str(path)]
    assert len(egress) > 3
    for path in egress:
        assert not imports(path) & {"os", "pydantic_settings", "contracts.settings"}, path
        assert not any(name.endswith("settings") for name in imports(path)), path
    app = (ROOT / "services/sync/app.py").read_text()
    assert "InjectedName" not in app
    assert "injecting" not in app


def test_no_word_of_machines_or_registries_is_tracked():
    words = r"py" + r"pi\.org|python" + r"hosted|registry\.np" + r"m|deb\.deb" + r"ian"
    found = subprocess.run(
        ["git", "grep", "-nIiE", words], cwd=ROOT, capture_output=True, text=True, check=False
    )
    assert found.stdout == ""


def test_no_secret_has_a_default():
    """Settings name secrets by file, without a default."""
    secret = re.compile(r"(password|secret|key|kek|token|database_url|amqp_url)(_file)?$")
    seen = 0
    for path in (path for path in FILES if path.name == "settings.py"):
        for node in ast.walk(ast.parse(path.read_text())):
            for field in node.body if isinstance(node, ast.ClassDef) else ():
                if isinstance(field, ast.AnnAssign) and secret.search(ast.unparse(field.target)):
                    seen += 1
                    assert field.value is None, f"{path}: {ast.unparse(field)}"
                    kind = ast.unparse(field.annotation)
                    assert "Path" in kind or "File" in kind, f"{path}: a file, please"
    assert seen > 5


def test_a_class_name_means_one_thing():
    """No public class name stands in two modules; the simulators have the words of their CRM."""
    named: dict[str, list[str]] = {}
    for path in FILES:
        if path.relative_to(ROOT).parts[0] != "sandbox":
            for node in ast.parse(path.read_text()).body:
                if isinstance(node, ast.ClassDef) and not node.name.startswith("_"):
                    named.setdefault(node.name, []).append(str(path.relative_to(ROOT)))
    assert {name: places for name, places in named.items() if len(places) > 1} == {}
