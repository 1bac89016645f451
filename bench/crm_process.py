"""A Dataverse simulator in a process of its own, for benchmarks that send to it."""

import contextlib
import json
import os
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import requests

from bench.cpu import spent_s
from sandbox.certificates import Authority

NAME = "contoso.crm.example"  # under which the push knows it: a public name
_NO_LIMITS = json.dumps({"requests": 10**9, "execution_s": 10**9, "concurrent": 10**6})


@dataclass(frozen=True)
class CrmProcess:
    """What a client needs to send to it, and what the benchmark wants to know of it."""

    url: str
    state: Path
    ca: Path
    pid: int

    @property
    def scope(self) -> str:
        return f"{self.url}/.default"

    @property
    def token_url(self) -> str:
        return f"{self.url}/{self._known['directory']}/oauth2/v2.0/token"

    @property
    def client(self) -> tuple[str, str]:
        """Client id and secret."""
        ((client_id, (secret,)),) = self._known["applications"].items()
        return client_id, secret["value"]

    @property
    def directory(self) -> str:
        return str(self._known["directory"])

    @property
    def port(self) -> int:
        return int(self.url.rpartition(":")[2])

    @property
    def spent_s(self) -> float:
        return spent_s(self.pid)

    def tables(self) -> dict[str, int]:
        """Number of rows by table."""
        found: dict[str, int] = self._control("GET", "tables")
        return found

    def counters(self) -> dict[str, dict[str, Any]]:
        found: dict[str, dict[str, Any]] = self._control("GET", "counters")
        return found

    def reset(self) -> None:
        self._control("POST", "reset")

    @property
    def _known(self) -> dict[str, Any]:
        known: dict[str, Any] = json.loads((self.state / "credentials.json").read_text())
        return known

    def switch(self, **switches: Any) -> None:
        self._control("PATCH", "switches", switches)

    def _control(self, method: str, path: str, body: Any = None) -> Any:
        token = (self.state / "control-token").read_text()
        answer = requests.request(
            method,
            f"{self.url}/_sandbox/{path}",
            headers={"Authorization": f"Bearer {token}"},
            json=body,
            verify=str(self.ca),
            timeout=60,
        )
        answer.raise_for_status()
        return answer.json()


@contextlib.contextmanager
def crm_process() -> Iterator[CrmProcess]:
    """Runs until the block ends; without service protection, which would be what is measured."""
    with tempfile.TemporaryDirectory() as folder:
        state = Path(folder)
        authority = Authority.new()
        (state / "ca.pem").write_bytes(authority.certificate)
        authority.issue("localhost", NAME).write(state / "cert.pem", state / "key.pem")
        command = (
            *(sys.executable, "-m", "sandbox.dataverse", "--port", "0", "--state", folder),
            *("--cert", f"{folder}/cert.pem", "--key", f"{folder}/key.pem"),
            *("--limits", _NO_LIMITS, "--name", NAME),
        )
        process = subprocess.Popen(command, stderr=subprocess.PIPE, env=os.environ)
        try:
            yield CrmProcess(_url(process), state, state / "ca.pem", process.pid)
        finally:
            process.terminate()
            process.communicate(timeout=30)


def _url(process: subprocess.Popen[bytes]) -> str:
    assert process.stderr is not None
    line = process.stderr.readline().decode()
    if "Dataverse simulator on https://" not in line:
        raise RuntimeError(line + process.stderr.read().decode())
    return f"https://localhost:{line.strip().rpartition(':')[2]}"
