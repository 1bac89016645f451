"""`python -m tests.yesterday COMMIT`: lets an earlier commit's launcher play its story, and keeps
what it leaves as tests/yesterday/COMMIT.tar.xz. Its requirements have to be those of this
environment, or name another interpreter with `--python`."""

import argparse
import asyncio
import os
import signal
import subprocess
import sys
import tempfile
from pathlib import Path

from ops.local.layout import Layout
from tests.yesterday.made import keep

_ROOT = Path(__file__).parents[2]
_RUN = "from ops.cli import main; main()"
_IS_UP = "Bulkhead is running"


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m tests.yesterday", description=__doc__)
    parser.add_argument("commit")
    parser.add_argument("--python", default=sys.executable)
    given = parser.parse_args()
    command = ["git", "rev-parse", "--short=7", f"{given.commit}^{{commit}}"]
    commit = subprocess.run(command, cwd=_ROOT, check=True, capture_output=True, text=True)
    archive = Path(__file__).parent / f"{commit.stdout.strip()}.tar.xz"
    with tempfile.TemporaryDirectory(prefix="bulkhead-yesterday-") as name:
        folder = Path(name)
        folder.chmod(0o711)
        _check_out(given.commit, folder / "code")
        _play(given.python, folder / "code", folder / "run")
        asyncio.run(keep(Layout(folder / "run"), archive))
    print(f"{archive}: {archive.stat().st_size:,} bytes")


def _check_out(commit: str, folder: Path) -> None:
    folder.mkdir()
    packed = subprocess.run(
        ["git", "archive", commit], cwd=_ROOT, check=True, stdout=subprocess.PIPE
    )
    subprocess.run(["tar", "-x", "-C", folder], input=packed.stdout, check=True)


def _play(python: str, code: Path, folder: Path) -> None:
    """Start it, wait until the story has ended, and end it in order."""
    process = subprocess.Popen(
        [python, "-c", _RUN, "run", "--folder", str(folder)],
        cwd=code,
        env=os.environ
        | {"PYTHONPATH": str(code), "PYTHONDONTWRITEBYTECODE": "1", "PYTHONUNBUFFERED": "1"},
        stdout=subprocess.PIPE,
        text=True,
    )
    assert process.stdout is not None
    is_up = any(_IS_UP in line for line in process.stdout)
    process.send_signal(signal.SIGINT)
    process.communicate(timeout=120)
    if not is_up:
        sys.exit("the story did not end: is this the environment that the commit asks for?")


if __name__ == "__main__":
    main()
