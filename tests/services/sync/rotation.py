"""A connection whose credentials are changed, here and at its CRM."""

from dataclasses import dataclass
from typing import Any

from sandbox.dataverse.tokens import Secret
from tests.services.sync.running_sync import Sync


@dataclass
class Rotation:
    """A connection whose tokens live for a moment, and which secrets its CRM knows."""

    sync: Sync
    id: str
    rows: int = 0

    @property
    def path(self) -> str:
        return f"{self.sync.path}/{self.id}/credentials"

    def known_there(self, *secrets: str) -> None:
        there = self.sync.simulator
        there.simulation.set_secrets(there.client_id, [Secret(one) for one in secrets])

    async def put(self, secret: str, when: str = "now", status: int = 204) -> Any:
        body = {"client_secret": secret, "when": when}
        answer = await self.sync.http.put(self.path, json=body)
        assert answer.status_code == status, answer.text
        return answer.json() if answer.content else None

    async def slots(self) -> dict[str, dict[str, Any]]:
        found = (await self.sync.http.get(self.path)).json()["credentials"]
        return {one["slot"]: one for one in found}

    async def arrives(self) -> None:
        """One more record reaches the CRM, with a token of its own."""
        self.rows += 1
        self.sync.peer.put(f"K{self.rows}", name=f"Name {self.rows}")
        await self.sync.settled(self.id, ok=self.rows)

    async def sign_in_again(self) -> None:
        """The next push needs a new token."""
        self.sync.simulator.add_fault(
            kind="status", path=self.sync.simulator.BATCH, status=401, body="json", times=1
        )
        await self.arrives()

    async def state(self) -> tuple[str, str]:
        body = await self.sync.get(f"/{self.id}")
        return body["state"], body["reason"]
