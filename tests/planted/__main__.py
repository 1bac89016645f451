"""Plants small wrong changes, one at a time, in a copy of the tree, and runs the tests that have to
notice them: `make mutants`. Prints each survivor and a table; fails below the limit.

The tables beside this file (one a part, TOML) hold the changes: file, text to find (once), text to
put there, the tests that notice, and what would be unguarded. `reason` is only for a change that
is known to survive. A part's name as argument plants the changes of that part alone; `--rotate N`
plants every Nth change, others each day, so that N days plant them all.
"""

import argparse
import asyncio
import contextlib
import os
import shutil
import signal
import subprocess
import sys
import tempfile
import time
import tomllib
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import date
from pathlib import Path

from kit import clock

ROOT = Path(__file__).parents[2]
TABLES = Path(__file__).parent
LIMIT = 0.9
_DEADLINE_S = 180.0
_LEFT_OUT = shutil.ignore_patterns(
    ".git", ".venv", ".run", ".*_cache", "__pycache__", "*.egg-info", "build", "node_modules"
)


@dataclass(frozen=True)
class Change:
    """One small wrong change, and the tests that have to notice it."""

    part: str
    file: str
    find: str
    replace: str
    tests: tuple[str, ...]
    kind: str
    reason: str = ""

    def applied_to(self, text: str) -> str:
        """The file with the change; ValueError where its place is not there, or not alone."""
        if text.count(self.find) != 1 or self.find == self.replace:
            raise ValueError(f"{self.part}: not one place in {self.file}: {self.find[:60]!r}")
        return text.replace(self.find, self.replace)


def changes(part: str | None = None) -> list[Change]:
    """All changes of the tables, or those of one part."""
    found = []
    for table in sorted(TABLES.glob("*.toml")):
        if part in {None, table.stem}:
            rows = tomllib.loads(table.read_text())["change"]
            found += [
                Change(**row | {"part": table.stem, "tests": (*row["tests"],)}) for row in rows
            ]
    return found


def turn_of(day: date, turns: int, all_changes: Sequence[Change]) -> list[Change]:
    """Every nth change; which ones depends on the day, and n days in a row have them all."""
    return list(all_changes[day.toordinal() % turns :: turns])


@contextlib.contextmanager
def copy_of_the_tree() -> Iterator[Path]:
    with tempfile.TemporaryDirectory(prefix="bulkhead-planted-") as folder:
        place = Path(folder) / "tree"
        shutil.copytree(ROOT, place, ignore=_LEFT_OUT)
        subprocess.run(["git", "init", "--quiet", place], check=True)  # some tests ask it for files
        yield place


async def is_noticed(change: Change, tree: Path) -> bool:
    """Whether a test fails (or hangs) with the change in place; a run without any test, other than
    by a change that cannot be read, is an error of the table."""
    path = tree / change.file
    right = path.read_text()
    path.write_text(change.applied_to(right))
    try:
        code, said = await _run_tests(tree, change.tests, "-x")
    finally:
        path.write_text(right)
    if code in {2, 4, 5} and "SyntaxError" not in said:
        raise ValueError(f"no such tests: {' '.join(change.tests)}\n{said[-600:]}")
    return code != 0


async def _run_tests(
    tree: Path, tests: Sequence[str], *more: str, deadline_s: float = _DEADLINE_S
) -> tuple[int, str]:
    """pytest's exit code and what it said. A run that hangs is ended, which is not 0."""
    command = [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", *more, *tests]
    process = await asyncio.create_subprocess_exec(
        *command,
        cwd=tree,
        env=os.environ | {"PYTHONDONTWRITEBYTECODE": "1", "PYTHONPATH": str(tree)},
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.STDOUT,
        start_new_session=True,
    )
    reading = asyncio.create_task(process.communicate())
    hung = False
    for patience_s, then in ((deadline_s, signal.SIGINT), (30.0, signal.SIGKILL)):
        if (await asyncio.wait({reading}, timeout=patience_s))[0]:
            break
        hung = True
        os.killpg(process.pid, then)  # at first politely: it stops the servers that it has started
    output, _ = await reading
    return 1 if hung else process.returncode or 0, output.decode(errors="replace")


async def check_unchanged(wanted: Sequence[Change]) -> None:
    """What fails anyway notices nothing: without a change all these tests have to pass."""
    tests = sorted({test for change in wanted for test in change.tests})
    with copy_of_the_tree() as tree:
        code, said = await _run_tests(tree, tests, "-n", "2", deadline_s=1800.0)
    if code:
        sys.exit(f"these tests fail without any planted change\n{said[-3000:]}")


async def plant_all(wanted: Sequence[Change], at_once: int) -> list[Change]:
    """The survivors."""
    queue, survivors, done = list(reversed(wanted)), list[Change](), 0

    async def work() -> None:
        nonlocal done
        with copy_of_the_tree() as tree:
            while queue:
                change = queue.pop()
                if not await is_noticed(change, tree):
                    survivors.append(change)
                    print(f"survives: {change.file}: {change.kind} {change.reason}", flush=True)
                done += 1
                if done % 25 == 0:
                    print(f"{done} of {len(wanted)} planted", flush=True)

    await asyncio.gather(*(work() for _ in range(at_once)))
    return survivors


def print_table(wanted: Sequence[Change], survivors: Sequence[Change]) -> bool:
    """Noticed by part; True where every part reaches the limit."""
    planted, lost = Counter(c.part for c in wanted), Counter(c.part for c in survivors)
    print(f"\n{'part':12} {'planted':>8} {'noticed':>8} {'share':>7}  limit {LIMIT:.0%}")
    shares = {part: 1 - lost[part] / count for part, count in planted.items()}
    for part, count in planted.items():
        print(f"{part:12} {count:8} {count - lost[part]:8} {shares[part]:7.0%}")
    total = 1 - len(survivors) / len(wanted)
    print(f"{'all':12} {len(wanted):8} {len(wanted) - len(survivors):8} {total:7.0%}")
    return min(*shares.values(), total) >= LIMIT


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m tests.planted", description=__doc__)
    parser.add_argument("part", nargs="?", help="the name of a table")
    parser.add_argument("--at-once", type=int, default=2)
    parser.add_argument("--rotate", type=int, default=1, metavar="N")
    given = parser.parse_args()
    today, begun = clock.now().date(), time.monotonic()
    wanted = turn_of(today, given.rotate, changes(given.part))
    asyncio.run(check_unchanged(wanted))
    survivors = asyncio.run(plant_all(wanted, given.at_once))
    reached = print_table(wanted, survivors)
    print(f"{len(wanted)} changes in {time.monotonic() - begun:.0f} s")
    sys.exit(0 if reached else 1)


if __name__ == "__main__":
    main()
