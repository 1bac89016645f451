"""Logs have a bounded size, and not one line is lost while they change files."""

import os
import stat
import subprocess
import sys
from pathlib import Path

import pytest

from ops.local.log_files import LogFile, reason_in
from tests.eventually import eventually

MOST = 100_000


def write(log: LogFile, code: str) -> None:
    output = log.open()
    subprocess.run([sys.executable, "-c", code], stdout=output, stderr=output, check=False)
    os.close(output)
    log.reason()  # waits for the last line


def test_a_log_is_private_and_goes_on_from_start_to_start(tmp_path):
    log = LogFile(tmp_path / "one.log")
    write(log, "print('first')")
    write(log, "print('second')")
    assert log.path.read_text() == "first\nsecond\n"
    assert log.since_start() == "second\n"
    assert stat.S_IMODE(log.path.stat().st_mode) == 0o600


def test_no_line_is_lost_or_cut_while_the_files_change(tmp_path):
    """Just under twice the bound: everything is still there, in one of two files."""
    log = LogFile(tmp_path / "one.log", MOST)
    write(log, "for n in range(19_000): print(f'{n:08}', flush=n % 700 == 0)")
    old = tmp_path / "one.log.1"
    lines = (old.read_text() + log.path.read_text()).splitlines()
    assert lines == [f"{n:08}" for n in range(19_000)]


def test_however_much_is_written_the_size_stays_bounded(tmp_path):
    log = LogFile(tmp_path / "one.log", MOST)
    for _ in range(3):
        write(log, "for n in range(60_000): print(n)")
    files = list(tmp_path.iterdir())
    assert {one.name for one in files} == {"one.log", "one.log.1"}
    assert sum(one.stat().st_size for one in files) <= 2 * (MOST + 65_536)
    assert log.path.read_text().splitlines()[-1] == "59999"


def test_a_line_without_an_end_is_bounded_too(tmp_path):
    log = LogFile(tmp_path / "one.log", MOST)
    write(log, "print('x' * 1_000_000)")
    assert sum(one.stat().st_size for one in tmp_path.iterdir()) <= 2 * (MOST + 65_536)


async def test_lines_are_there_while_the_program_still_runs(tmp_path):
    log = LogFile(tmp_path / "one.log")
    output = log.open()
    code = "print('alive', flush=True); input()"
    process = subprocess.Popen(
        [sys.executable, "-c", code], stdin=subprocess.PIPE, stdout=output, stderr=output
    )
    os.close(output)
    await eventually(lambda: log.path.read_text() == "alive\n")
    process.communicate(b"\n")


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("", "it said nothing"),
        ("one\n\n", "one"),
        ("BULKHEAD_PORT is not set\n", "BULKHEAD_PORT is not set"),
        ('FATAL:  could not open "x"\nHINT: look\n', 'FATAL: could not open "x"'),
        (
            'Traceback (most recent call last):\n  File "x"\nOSError: no space\n',
            "OSError: no space",
        ),
        ('{"level": "error", "message": "migration failed", "error": "E"}', "migration failed: E"),
        ("[1]", "[1]"),
        ("x" * 1000, "x" * 400),
    ],
)
def test_the_reason_of_an_end_is_one_sentence(text, reason):
    assert reason_in(text) == reason


def test_the_reason_is_that_of_the_last_start(tmp_path: Path) -> None:
    log = LogFile(tmp_path / "one.log")
    write(log, "raise SystemExit('FATAL: of yesterday')")
    write(log, "raise SystemExit('of today')")
    assert log.reason() == f"of today (see {log.path})"
