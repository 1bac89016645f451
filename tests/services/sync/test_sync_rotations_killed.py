"""kill -9 at any moment of a rotation, in either order, under load: no push ends for a reason of
credentials. `make test` does a hundredth of what `make proof` does (python -m tests.rotations)."""

import asyncio
import contextlib
import os
import random
from collections.abc import AsyncIterator, Callable
from dataclasses import dataclass
from pathlib import Path

import httpx2
from sqlalchemy import text

from sandbox.dataverse.tokens import Secret
from tests.eventually import eventually
from tests.gateway.edge_parts import serving
from tests.services.sync.peer_tenants import PeerTenants
from tests.services.sync.running_sync import Sync, User, running_sync
from tests.services.sync.simulated_crms import SimulatedCrm
from tests.services.sync.sync_process import SyncProcess, services_of

ROTATIONS = int(os.environ.get("ROTATIONS", "2"))
KEYS = 20
# whatever ever stood as a reason of a connection, also for a moment
WATCH = (
    "CREATE TABLE seen (state text, reason text)",
    "CREATE FUNCTION watch() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN"
    " INSERT INTO seen VALUES (NEW.state, NEW.reason); RETURN NULL; END $$",
    "CREATE TRIGGER watching AFTER UPDATE ON connection FOR EACH ROW"
    " WHEN (NEW.state <> 'active' OR NEW.reason <> '') EXECUTE FUNCTION watch()",
)


@dataclass
class Rotated:
    """A sync that survives, others of the same installation that are killed, and their CRM.

    `make` makes the next victim, which begins while the one before it is rotated.
    """

    survivor: Sync
    make: Callable[[], SyncProcess]
    chance: random.Random
    id: str
    known: str

    def __post_init__(self) -> None:
        self._victim = self.make()
        self._beginning = asyncio.create_task(self._victim.start())

    def known_there(self, *secrets: str) -> None:
        there = self.survivor.simulator
        there.simulation.set_secrets(there.client_id, [Secret(one) for one in secrets])

    async def rotate(self, number: int) -> None:
        old, self.known = self.known, f"secret-number-{number}"
        here_first = self.chance.random() < 0.5
        if not here_first:
            self.known_there(old, self.known)
        await self._put(self.known, "staged" if here_first else "now")
        if here_first and self.chance.random() < 0.5:
            self.known_there(old, self.known)
        self.known_there(self.known)
        await self._arrives(f"rotation {number}")

    async def _put(self, secret: str, when: str) -> None:
        """By the victim, which dies meanwhile; whoever got no answer asks once more, elsewhere."""
        body = {"client_secret": secret, "when": when}
        path = f"{self.survivor.path}/{self.id}/credentials"
        user = User(self.survivor.tenant)
        victim, base = await self._begun()
        async with httpx2.AsyncClient(base_url=base, auth=user, trust_env=False) as http:
            asking = asyncio.create_task(http.put(path, json=body))
            await asyncio.wait([asking], timeout=self.chance.uniform(0, 1.0))
            victim.kill()
            try:
                is_confirmed = (await asking).status_code == 204
            except httpx2.TransportError:
                is_confirmed = False
        if not is_confirmed:
            again = await self.survivor.http.put(path, json=body)
            assert again.status_code == 204, again.text

    async def _begun(self) -> tuple[SyncProcess, str]:
        begun = self._victim, await self._beginning
        self._victim = self.make()
        self._beginning = asyncio.create_task(self._victim.start())
        return begun

    async def end(self) -> None:
        self._beginning.cancel()
        await asyncio.gather(self._beginning, return_exceptions=True)
        self._victim.kill()

    async def _arrives(self, name: str) -> None:
        there = self.survivor.simulator
        self.survivor.peer.put("MARK", name=name)
        try:
            await eventually(lambda: there.by_key().get("MARK", {}).get(there.NAME) == name, 60.0)
        except AssertionError:
            told = (await self.survivor.get(f"/{self.id}"), await self._outcomes())
            raise AssertionError(f"{name} has not arrived: {told}") from None

    async def _outcomes(self) -> object:
        found = await self.survivor.get(f"/{self.id}/outcomes?key=MARK")
        return found, await self.survivor.get(f"/{self.id}/runs")


@contextlib.asynccontextmanager
async def load(peer: PeerTenants) -> AsyncIterator[None]:
    """Records that change all the time."""

    async def change() -> None:
        for number in range(10**9):
            peer.put(f"K{number % KEYS}", name=f"Name {number}")
            await asyncio.sleep(0.02)

    changing = asyncio.create_task(change())
    try:
        yield
    finally:
        changing.cancel()
        await asyncio.gather(changing, return_exceptions=True)


async def test_no_push_ends_for_a_reason_of_credentials(
    sync_url: str,
    tmp_path: Path,
    simulator: SimulatedCrm,
    peer: PeerTenants,
    free_port: Callable[[], int],
) -> None:
    simulator.switches.token_lifetime_s = 3  # somebody signs in anew all the time
    services = free_port()
    async with (
        serving(services_of(peer), services),
        running_sync(sync_url, tmp_path, simulator, peer) as survivor,
    ):
        rotated = Rotated(
            survivor,
            lambda: SyncProcess(survivor, f"http://127.0.0.1:{services}", free_port),
            random.Random(4711),
            await survivor.connect(),
            simulator.client_secret,
        )
        async with survivor.parts.db.write() as session:
            for statement in WATCH:
                await session.run(text(statement))
        try:
            async with load(peer):
                for number in range(ROTATIONS):
                    await rotated.rotate(number)
        finally:
            await rotated.end()
        async with survivor.parts.db.read() as session:
            seen = await session.all(text("SELECT DISTINCT state, reason FROM seen"))
        assert [dict(row) for row in seen] == []
        await survivor.settled(rotated.id, ok=len(peer.records))
