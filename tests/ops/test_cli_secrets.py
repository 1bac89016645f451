"""What the command line is told and keeps: no blank less, for its owner only, one at a time."""

import asyncio
import contextlib
import io
import json
import ssl
import sys
from collections.abc import AsyncIterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest
import typer

from ops.answers import ApiRefused
from ops.api import Api, Login
from ops.cli.files import without_line_end
from ops.cli.kept_session import KeptSession
from ops.cli.session import ask

LOGIN = Login("a@b.example", "a long enough password")


@pytest.mark.parametrize(
    ("given", "secret"),
    [
        ("  pass word \t\n", "  pass word \t"),
        ("secret\r\n", "secret"),
        ("secret\n\n", "secret\n"),
        ("secret", "secret"),
        ("secret\r", "secret\r"),
        ("\n", ""),
        ("\u00a0secret\u2003\n", "\u00a0secret\u2003"),
    ],
)
def test_one_line_end_is_no_part_of_a_secret_and_blanks_are(given, secret):
    assert without_line_end(given) == secret


@pytest.mark.parametrize(
    ("piped", "secret"),
    [(b"  two words  \nnext\n", "  two words  "), (b" \r\n", " "), ("ü\n".encode(), "ü")],
)
def test_a_piped_secret_is_the_next_line(monkeypatch, piped, secret):
    monkeypatch.setattr(sys, "stdin", io.TextIOWrapper(io.BytesIO(piped)))
    assert ask("Password") == secret


@pytest.mark.parametrize("piped", [b"", b"\n", b"\xff\n"])
def test_nothing_and_no_text_are_refused(monkeypatch, capsys, piped):
    monkeypatch.setattr(sys, "stdin", io.TextIOWrapper(io.BytesIO(piped)))
    with pytest.raises(typer.Exit) as end:
        ask("Password")
    assert end.value.exit_code == 2
    assert "standard input" in capsys.readouterr().err


@pytest.fixture
def kept(tmp_path) -> KeptSession:
    return KeptSession(tmp_path / "credentials.json", "https://localhost:1", LOGIN)


def file_of(folder: Path) -> Path:
    [file] = [one for one in (folder / ".credentials.json.sessions").iterdir() if not one.suffix]
    return file


def test_a_session_is_kept_for_its_owner_only(kept, tmp_path):
    assert kept.load() == ""
    kept.keep("token")
    assert kept.load() == "token"
    file = file_of(tmp_path)
    assert file.stat().st_mode & 0o777 == 0o600
    assert file.parent.stat().st_mode & 0o777 == 0o700
    kept.forget()
    assert kept.load() == ""


def test_each_login_of_each_installation_has_its_own(kept, tmp_path):
    kept.keep("token")
    others = [Login("c@b.example", "x"), Login(LOGIN.email, LOGIN.password, "tenant")]
    for other in others:
        assert KeptSession(tmp_path / "credentials.json", "https://localhost:1", other).load() == ""
    elsewhere = KeptSession(tmp_path / "credentials.json", "https://localhost:2", LOGIN)
    assert elsewhere.load() == ""


@pytest.mark.parametrize("mode", [0o640, 0o604, 0o620])
def test_a_file_that_others_could_have_touched_is_no_session(kept, tmp_path, mode):
    kept.keep("token")
    file_of(tmp_path).chmod(mode)
    assert kept.load() == ""


@pytest.mark.parametrize("content", [b"", b"{", b"[]", b"{}", b'{"refresh_token": 7}', b"\xff"])
def test_a_broken_file_is_no_session_and_is_written_again(kept, tmp_path, content):
    kept.keep("token")
    file_of(tmp_path).write_bytes(content)
    assert kept.load() == ""
    kept.keep("new")
    assert kept.load() == "new"


def test_a_link_is_no_session(kept, tmp_path):
    kept.keep("token")
    file_of(tmp_path).rename(tmp_path / "elsewhere")
    kept._file.symlink_to(tmp_path / "elsewhere")
    assert kept.load() == ""


def test_a_token_that_cannot_be_replaced_does_not_stay(kept, tmp_path, monkeypatch):
    """Presented again it would look stolen."""
    kept.keep("used")

    def full(*_: object) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("ops.cli.kept_session.write_private", full)
    kept.keep("new")
    assert kept.load() == ""


@dataclass
class Server:
    """Answers like auth: each refresh token works once, and a used one ends the session."""

    refuses: int = 0
    asked: list[str] = field(default_factory=list)
    token: int = 0
    ended: bool = False

    def answer(self, path: str, body: dict[str, Any]) -> tuple[int, dict[str, Any]]:
        self.asked.append(path.rpartition("/")[2])
        if path.endswith("refresh"):
            if self.refuses:
                return self.refuses, {}
            if self.ended or body["refresh_token"] != str(self.token):
                self.ended = True
                return 401, {}
        elif path.endswith("login"):
            self.ended = False
        else:
            return 200, {}
        self.token += 1
        return 200, {"access_token": "a", "expires_in": 300, "refresh_token": str(self.token)}

    async def handle(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        head = (await reader.readuntil(b"\r\n\r\n")).decode().lower()
        length = int(head.partition("content-length: ")[2].partition("\r")[0] or 0)
        body = json.loads(await reader.readexactly(length) or b"{}")
        status, found = self.answer(head.split()[1], body)
        text = json.dumps(found)
        writer.write(
            f"HTTP/1.1 {status} X\r\ncontent-type: application/json\r\nconnection: close\r\n"
            f"content-length: {len(text)}\r\n\r\n{text}".encode()
        )
        await writer.drain()
        writer.close()


@contextlib.asynccontextmanager
async def serving(server: Server, ca: Any) -> AsyncIterator[str]:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    ca.issue_cert("127.0.0.1").configure_cert(context)
    running = await asyncio.start_server(server.handle, "127.0.0.1", 0, ssl=context)
    async with running:
        yield f"https://127.0.0.1:{running.sockets[0].getsockname()[1]}"


@pytest.fixture
def trust(ca) -> ssl.SSLContext:
    made = ssl.create_default_context()
    ca.configure_trust(made)
    return made


async def call(url: str, trust: ssl.SSLContext, folder: Path) -> None:
    """One command."""
    keeper = KeptSession(folder / "credentials.json", url, LOGIN)
    async with Api(url, trust, LOGIN, keeper=keeper) as api:
        await api.get("/v1/me")


async def test_only_the_first_command_logs_in_however_many_run_at_once(ca, trust, tmp_path):
    server = Server()
    async with serving(server, ca) as url:
        await call(url, trust, tmp_path)
        await asyncio.gather(*(call(url, trust, tmp_path) for _ in range(8)))
    assert server.asked.count("login") == 1
    assert server.asked.count("refresh") == 8
    assert not server.ended


async def test_a_session_that_has_ended_is_begun_anew(ca, trust, tmp_path):
    server = Server()
    async with serving(server, ca) as url:
        await call(url, trust, tmp_path)
        server.ended = True
        await call(url, trust, tmp_path)
        await call(url, trust, tmp_path)
    assert server.asked == ["login", "me", "refresh", "login", "me", "refresh", "me"]


@pytest.mark.parametrize("status", [429, 500, 503])
async def test_a_server_in_trouble_says_nothing_of_the_session(ca, trust, tmp_path, status):
    server = Server()
    async with serving(server, ca) as url:
        await call(url, trust, tmp_path)
        server.refuses = status
        with pytest.raises(ApiRefused):
            await call(url, trust, tmp_path)
        server.refuses = 0
        await call(url, trust, tmp_path)
    assert server.asked.count("login") == 1
