"""Answers of a server that is made to say anything, and the words of every command."""

import json
from typing import Any

ID, TENANT = "01890000-0000-7000-8000-000000000000", "01890000-0000-7000-8000-00000000000a"
TOKENS = {"access_token": "a", "expires_in": 300, "refresh_token": "r"}
LOGIN = {"email": "a@b.example", "password": "a long enough password"}


def _on(verb: str, *more: str) -> list[str]:
    """A verb on one connection."""
    return ["connection", *verb.split(), ID, "--tenant", "A", *more]


CONNECTION_VERBS = {
    "connection add": ["connection", "add", "DEFINITION", "--tenant", "A"],
    "connection list": ["connection", "list", "--tenant", "A"],
    "connection change": _on("change", "--name", "Sales"),
    "connection run": ["connection", "run", ID, ID, "--tenant", "A"],
    "connection export": _on("export", "--file", "FILE"),
    "connection credentials certificate": _on("credentials certificate", "--file", "FILE"),
    "connection credentials drop": [*_on("credentials drop"), "next"],
    **{
        f"connection {verb}": _on(verb)
        for verb in (
            *("show", "pause", "resume", "remove", "test", "dry-run", "compare", "outcomes"),
            *("summary", "retry", "resync", "runs", "ledger", "push", "watch"),
            *("credentials list", "credentials put", "credentials stage"),
        )
    },
}
COMMANDS = {
    "status": ["status"],
    "logout": ["logout"],
    "tenant create": ["tenant", "create", "Cedar", "--allow", "127.0.0.1/32"],
    "tenant list": ["tenant", "list"],
    "tenant suspend": ["tenant", "suspend", ID],
    "tenant resume": ["tenant", "resume", ID],
    "user invite": ["user", "invite", "a@b.example"],
    "user accept": ["user", "accept", "a@b.example", "--generate"],
    "user unlock": ["user", "unlock", ID],
    "allowlist show": ["allowlist", "show", ID],
    "allowlist set": ["allowlist", "set", ID, "127.0.0.1/32"],
    **CONNECTION_VERBS,
    "backup run": ["backup", "run", "--tenant", "A"],
    "backup list": ["backup", "list", "--tenant", "A"],
    "backup restore": ["backup", "restore", ID, "--tenant", "A", "--yes"],
}
"""DEFINITION and FILE stand for places of the test's own."""


def answer(body: bytes, status: str = "200 OK", kind: str = "application/json") -> bytes:
    """A whole answer in HTTP/1.1, after which the server hangs up."""
    head = f"HTTP/1.1 {status}\r\ncontent-type: {kind}\r\ncontent-length: {len(body)}\r\n"
    return f"{head}connection: close\r\n\r\n".encode() + body


def says(**members: Any) -> bytes:
    """An answer that logs anybody in, and says this as well."""
    return answer(json.dumps(TOKENS | members).encode())
