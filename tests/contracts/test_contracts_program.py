"""The command line of every program: what is wrong is a sentence and exit code 2, no traceback."""

import os
import subprocess
import sys
from pathlib import Path

import pytest
from fastapi import FastAPI

from contracts.program import Program
from contracts.settings import ProcessSettings

PROGRAMS = ["services.relay", "services.auth"]


def run(program: str, *words: str, **settings: object) -> subprocess.CompletedProcess[str]:
    """A real process with these settings and no others."""
    given = {f"BULKHEAD_{name.upper()}": str(value) for name, value in settings.items()}
    return subprocess.run(
        [sys.executable, "-m", program, *words],
        env={"PATH": os.environ["PATH"], "PYTHONPATH": os.environ.get("PYTHONPATH", "")} | given,
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )


@pytest.mark.parametrize("program", PROGRAMS)
def test_settings_that_are_missing_are_named_without_a_traceback(program: str) -> None:
    ended = run(program)
    assert ended.returncode == 2
    assert "BULKHEAD_PORT" in ended.stderr
    assert "BULKHEAD_AMQP_URL_FILE" in ended.stderr
    assert "Traceback" not in ended.stderr + ended.stdout


@pytest.mark.parametrize("program", PROGRAMS)
def test_a_wrong_setting_is_named_and_its_value_is_not_shown(program: str) -> None:
    ended = run(program, port="hunter2")
    assert ended.returncode == 2
    assert "BULKHEAD_PORT" in ended.stderr
    assert "hunter2" not in ended.stderr
    assert "Traceback" not in ended.stderr


def test_a_file_that_is_not_there_is_named(tmp_path: Path) -> None:
    (tmp_path / "urls").mkdir()
    (tmp_path / "urls" / "auth").write_text("postgresql://x\n")
    missing = tmp_path / "missing"
    ended = run("services.relay", port=1, amqp_url_file=missing, outbox_urls_dir=tmp_path / "urls")
    assert ended.returncode == 2
    assert "missing" in ended.stderr or "AMQP_URL_FILE" in ended.stderr
    assert "Traceback" not in ended.stderr


def test_a_relay_without_an_outbox_says_so(tmp_path: Path) -> None:
    (tmp_path / "amqp").write_text("amqp://x\n")
    (tmp_path / "amqp").chmod(0o600)
    (tmp_path / "urls").mkdir()
    ended = run(
        "services.relay",
        port=1,
        amqp_url_file=tmp_path / "amqp",
        outbox_urls_dir=tmp_path / "urls",
    )
    assert ended.returncode == 2
    assert "OUTBOX_URLS_DIR" in ended.stderr
    assert "Traceback" not in ended.stderr
    assert ended.stderr.count("\n") == 1


@pytest.mark.parametrize("program", PROGRAMS)
def test_a_command_that_is_not_there_is_refused_with_those_that_are(program: str) -> None:
    ended = run(program, "dance")
    assert ended.returncode == 2
    assert "serve" in ended.stderr
    assert "Traceback" not in ended.stderr


def test_only_a_program_with_a_database_migrates_and_only_in_phases_that_there_are() -> None:
    without = run("services.relay", "migrate")
    assert without.returncode == 2
    assert "invalid choice" in without.stderr
    wrong = run("services.auth", "migrate", "--phase", "sideways")
    assert wrong.returncode == 2
    assert "--phase" in wrong.stderr


@pytest.mark.parametrize(
    ("error", "words"),
    [
        (ValueError("the key is not drawn at random"), "the key is not drawn at random"),
        (FileNotFoundError(2, "No such file", "/etc/kek"), "cannot read /etc/kek: No such file"),
    ],
)
def test_what_a_program_cannot_be_made_of_is_one_sentence_and_code_2(
    error: Exception,
    words: str,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
    tmp_path: Path,
) -> None:
    def create_app(_: ProcessSettings) -> FastAPI:
        raise error

    (tmp_path / "amqp").write_text("amqp://x\n")
    monkeypatch.setenv("BULKHEAD_PORT", "1")
    monkeypatch.setenv("BULKHEAD_AMQP_URL_FILE", str(tmp_path / "amqp"))
    monkeypatch.setattr(sys, "argv", ["test"])
    with pytest.raises(SystemExit) as ended:
        Program("test", "test", ProcessSettings, create_app).main()
    assert ended.value.code == 2
    assert capsys.readouterr().err == f"test does not start: {words}\n"
