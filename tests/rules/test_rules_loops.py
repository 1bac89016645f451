"""Nothing runs for long that nobody watches: tasks are made by kit.supervisor alone."""

import ast
from pathlib import Path

import pytest

from tests.rules.test_rules_files import FILES, ROOT

OWNER = "kit/supervisor.py"
# the launcher and the story are programs of a person's terminal; the simulator is not the product
ELSEWHERE = ("ops/", "sandbox/")
MAKERS = {"create_task", "ensure_future", "TaskGroup", "run_coroutine_threadsafe"}


def makes_tasks(source: str) -> bool:
    return any(
        isinstance(node, ast.Call)
        and (
            (isinstance(node.func, ast.Attribute) and node.func.attr in MAKERS)
            or (isinstance(node.func, ast.Name) and node.func.id in MAKERS)
        )
        for node in ast.walk(ast.parse(source))
    )


@pytest.mark.parametrize("path", FILES, ids=lambda path: str(path.relative_to(ROOT)))
def test_only_the_supervisor_makes_tasks(path: Path) -> None:
    place = str(path.relative_to(ROOT))
    if place == OWNER:
        assert makes_tasks(path.read_text())
    elif not place.startswith(ELSEWHERE):
        assert not makes_tasks(path.read_text()), "use kit.supervisor: spawn, Loop or Supervisor"


@pytest.mark.parametrize(
    "source",
    [
        "asyncio.create_task(work())",
        "asyncio.get_running_loop().create_task(work())",
        "asyncio.ensure_future(work())",
        "group = TaskGroup()",
    ],
)
def test_the_rule_sees_a_task_however_it_is_made(source: str) -> None:
    assert makes_tasks(source)
