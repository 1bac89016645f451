"""The CRM's side of the story: what the simulator has received, byte for byte."""

import json
import ssl
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import httpx2

_IN_BULK = (".UpsertMultiple", ".UpdateMultiple")


class StoryCrm:
    """The simulator's control interface and credentials."""

    def __init__(self, port: int, ca: Path, state: Path) -> None:
        self._state = state
        token = (state / "control-token").read_text().strip()
        self._client = httpx2.AsyncClient(
            base_url=f"https://localhost:{port}/_sandbox/",
            headers={"authorization": f"Bearer {token}"},
            verify=ssl.create_default_context(cafile=str(ca)),
            timeout=30.0,
            trust_env=False,
        )

    async def aclose(self) -> None:
        await self._client.aclose()

    def credentials(self) -> dict[str, str]:
        """Directory, client id and secret that the simulator's token endpoint takes."""
        known = json.loads((self._state / "credentials.json").read_text())
        client_id, secrets = next(iter(known["applications"].items()))
        return {
            "directory_id": known["directory"],
            "client_id": client_id,
            "client_secret": secrets[-1]["value"],
        }

    async def rows(self, table: str) -> list[dict[str, Any]]:
        answer = await self._client.get(f"tables/{table}")
        answer.raise_for_status()
        rows: list[dict[str, Any]] = answer.json()
        return rows

    async def requests(self, after: int = 0) -> list[dict[str, Any]]:
        """Everything received after request number `after`, with headers and bodies."""
        answer = await self._client.get("requests", params={"after": after})
        answer.raise_for_status()
        found: list[dict[str, Any]] = answer.json()
        return found

    async def last_request(self) -> int:
        received = await self.requests()
        return int(received[-1]["number"]) if received else 0

    async def add_fault(self, **fault: Any) -> None:
        """Something goes wrong from now on; sandbox/README.md has the kinds."""
        (await self._client.post("faults", json=fault)).raise_for_status()

    async def clear_faults(self) -> None:
        (await self._client.delete("faults")).raise_for_status()

    async def present(self, certificate: str) -> None:
        """From now on present this certificate: valid, self-signed, expired or wrong-host."""
        answer = await self._client.patch("switches", json={"certificate": certificate})
        answer.raise_for_status()


def writes(requests: Sequence[dict[str, Any]]) -> list[tuple[str, dict[str, Any]]]:
    """Each row that was written: its address and the columns that were sent."""
    return [one for request in requests for one in _written(request)]


def _written(request: dict[str, Any]) -> Iterator[tuple[str, dict[str, Any]]]:
    """By an action for many rows, or by the parts of a batch."""
    body = str(request["body"])
    if request["target"].endswith(_IN_BULK):
        for row in json.loads(body)["Targets"]:
            id_ = row["@odata.type"].rpartition(".")[2] + "id"
            columns = {name: one for name, one in row.items() if name[0] != "@" and name != id_}
            yield row.get("@odata.id") or row[id_], columns
        return
    for part in body.split("\r\n--")[:-1]:
        head, _, rest = part.partition("PATCH ")
        if rest and head:
            yield rest.split(" ", 1)[0], json.loads(rest[rest.index("\r\n\r\n") :].strip())


def received_text(requests: Sequence[dict[str, Any]]) -> str:
    """All that arrived, as one text to search in."""
    return "\n".join(json.dumps(request, ensure_ascii=False) for request in requests)
