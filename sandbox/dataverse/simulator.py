"""The simulator inside a test or program: `async with DataverseSimulator.serve() as sim`."""

import tempfile
from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import AsyncExitStack, asynccontextmanager
from pathlib import Path
from typing import Any, Self

from sandbox.certificates import Authority, issue_self_signed
from sandbox.dataverse.altering import Alterations
from sandbox.dataverse.app import SimulatorApp
from sandbox.dataverse.faults import Fault
from sandbox.dataverse.limits import Limits, Throttle
from sandbox.dataverse.listening import listen
from sandbox.dataverse.organisation import Switches
from sandbox.dataverse.recording import RecordedRequest
from sandbox.dataverse.schema import Schema
from sandbox.dataverse.simulation import Simulation

UNTRUSTED = ("self-signed", "expired", "wrong-host")


class DataverseSimulator:
    """A running simulator. Its client: `directory`, `client_id`, `client_secret`, `scope`."""

    def __init__(self, simulation: Simulation, authority: Authority, host: str, port: int) -> None:
        self.simulation = simulation
        self.authority = authority
        self.host = host
        self.port = port

    @classmethod
    @asynccontextmanager
    async def serve(
        cls,
        *,
        authority: Authority | None = None,
        host: str = "localhost",
        port: int = 0,
        state: Path | None = None,
        tables: Schema | None = None,
        limits: Limits | None = None,
        switches: Switches | None = None,
    ) -> AsyncIterator[Self]:
        """`host` is the name in the certificate and the token's audience, with and without port."""
        authority = authority or Authority.new()
        context = authority.issue(host, "localhost", "127.0.0.1").server_context()
        with tempfile.TemporaryDirectory() as folder:
            simulation = Simulation(
                state or Path(folder), [], tables=tables, limits=limits, switches=switches
            )
            try:
                async with listen(SimulatorApp(simulation), context, port=port) as bound:
                    simulation.tokens.audiences += audiences([host, "localhost"], bound)
                    yield cls(simulation, authority, host, bound)
            finally:
                simulation.close()

    @property
    def url(self) -> str:
        return f"https://{self.host}:{self.port}"

    @property
    def scope(self) -> str:
        return f"{self.url}/.default"

    @property
    def token_url(self) -> str:
        return f"{self.url}/{self.directory}/oauth2/v2.0/token"

    @property
    def directory(self) -> str:
        return self.simulation.directory

    @property
    def client_id(self) -> str:
        return self.simulation.client_id

    @property
    def client_secret(self) -> str:
        return self.simulation.client_secret

    @property
    def switches(self) -> Switches:
        return self.simulation.organisation.switches

    @property
    def throttle(self) -> Throttle:
        return self.simulation.throttle

    def rows(self, table: str) -> list[dict[str, Any]]:
        return [row.values for row in self.simulation.organisation.rows.all(table)]

    @property
    def alter(self) -> Alterations:
        """Columns and tables that change, rows that somebody deletes; see altering.py."""
        return self.simulation.alterations

    def counters(self) -> dict[str, dict[str, Any]]:
        """Calls, bytes of bodies and statuses by operation."""
        return self.simulation.counters.shown()

    def requests(self, part_of_path: str = "") -> list[RecordedRequest]:
        return [r for r in self.simulation.recorder.requests() if part_of_path in r.target]

    def add_fault(self, **fault: Any) -> Fault:
        """`add_fault(kind="status", status=503, times=2)`; see faults.Fault."""
        return self.simulation.organisation.faults.add(Fault(**fault))

    @asynccontextmanager
    async def untrusted(self) -> AsyncIterator[Mapping[str, str]]:
        """Addresses of three listeners that no client may trust, by what is wrong with them."""
        async with untrusted_listeners(self.simulation, self.authority, self.host) as ports:
            yield {name: f"https://{self.host}:{port}" for name, port in ports.items()}


@asynccontextmanager
async def untrusted_listeners(
    simulation: Simulation, authority: Authority, host: str
) -> AsyncIterator[Mapping[str, int]]:
    """Ports of listeners with a self-signed, an expired and a wrong-host certificate."""
    identities = (
        issue_self_signed(host),
        authority.issue_expired(host),
        authority.issue("somewhere-else.test"),
    )
    app = SimulatorApp(simulation)
    async with AsyncExitStack() as stack:
        ports = [
            await stack.enter_async_context(listen(app, identity.server_context()))
            for identity in identities
        ]
        yield dict(zip(UNTRUSTED, ports, strict=True))


def audiences(hosts: Sequence[str], port: int) -> list[str]:
    return [url for host in hosts for url in (f"https://{host}", f"https://{host}:{port}")]
