"""What one tenant may cost another: the quiet tenant's p99 while its neighbour does its worst, as a
multiple of its p99 in peace; a line for each attack, with the services' CPU per attack second.

Run it with `python -m bench.neighbours`. The whole suite runs with its edge on this machine. Peace
and attack come in turns in one run. A real neighbour works on a machine of its own: here it is a
process that takes only what the others leave of the cores.
"""

import argparse
import asyncio
import contextlib
import json
import os
import secrets
import sys
import tempfile
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from bench.cpu import spent_s
from ops.api import GaveUp, Login, until
from ops.local.first_operator import first_operator
from ops.local.layout import Layout
from ops.local.suite import Suite, running
from ops.programs import PROGRAMS
from ops.story.crm import StoryCrm
from ops.story.opening import sign_up
from ops.story.scene import CHOSEN, Scene, SceneTenant, scene

LIMIT = 2.0
ROUNDS, SECONDS = 3, 6.0
_PAUSE_S = 0.02
_ELSEWHERE = "127.0.0.2"
Ask = Callable[[], Awaitable[None]]


@dataclass(frozen=True)
class Case:
    """An attack, and what the quiet tenant does meanwhile (`read`, `login` or `sync`)."""

    title: str
    attack: str
    quiet: str


CASES = (
    Case("worst CSV", "csv", "read"),
    Case("worst NDJSON", "ndjson", "read"),
    Case("bulk flood", "bulk", "read"),
    Case("200 slow bodies", "slow", "login"),
    Case("login flood", "login", "login"),
    Case("hanging CRM", "crm", "sync"),
)


@dataclass
class Rig:
    """The installation, the noisy and the quiet tenant."""

    suite: Suite
    scene: Scene
    noisy: SceneTenant
    quiet: SceneTenant
    hanging: Sequence[SceneTenant] = ()
    record: str = ""

    async def ask(self, what: str) -> None:
        """One thing that the quiet tenant wants, done."""
        match what:
            case "read":
                await self.quiet.api.get(self.quiet.path(f"records/organisation/{self.record}"))
            case "login":
                await self.quiet.api.log_in()
            case _:
                await self._sync()

    async def _sync(self) -> None:
        """A change travels to the quiet tenant's CRM."""
        mark = f"Place {secrets.token_urlsafe(6)}"
        row = {"key": "Q", "fields": {"headquarters": mark}}
        await bulk(self.quiet, "organisation", [row])

        async def is_there() -> bool:
            rows = await self.scene.crm.rows("accounts")
            return any(one.get(CHOSEN["headquarters"]) == mark for one in rows)

        await until("the change arrives", is_there, deadline_s=30)

    def cpu_s(self) -> float:
        """CPU seconds of all our programs so far."""
        pids = [self.suite.children[name].pid for name in PROGRAMS]
        return sum(spent_s(pid) for pid in pids if pid is not None)


async def bulk(tenant: SceneTenant, module: str, rows: Sequence[dict[str, Any]]) -> None:
    await tenant.api.call(
        "POST",
        tenant.path(f"records/{module}/bulk"),
        content=b"\n".join(json.dumps(row).encode() for row in rows),
        headers={"content-type": "application/x-ndjson"},
    )


async def main(wanted: Sequence[str] = ()) -> bool:
    """Print a line a case; True where every case keeps its limit."""
    print(f"\nwhat one tenant may cost another (p99 of the quiet tenant, limit {LIMIT:.0f}x)")
    print(f"{'attack':18}{'quiet does':>11}{'in peace':>11}{'attacked':>11}{'ratio':>8}{'CPU':>7}")
    kept = True
    async with _rig() as rig:
        for case in CASES:
            if not wanted or case.attack in wanted:
                kept = await _measure(rig, case) and kept
    return kept


async def _measure(rig: Rig, case: Case) -> bool:
    peace: list[float] = []
    attacked: list[float] = []
    cpu_s = 0.0
    await rig.ask(case.quiet)
    for _ in range(ROUNDS):
        peace += await _times(rig, case.quiet)
        async with _attack(rig, case.attack):
            before = rig.cpu_s()
            attacked += await _times(rig, case.quiet)
            cpu_s += rig.cpu_s() - before
    mine, theirs = _p99(peace) * 1000, _p99(attacked) * 1000
    print(
        f"{case.title:18}{case.quiet:>11}{mine:>8.0f} ms{theirs:>8.0f} ms{theirs / mine:>7.1f}x"
        f"{cpu_s / ROUNDS / SECONDS:>6.1f}s",
        flush=True,
    )
    return theirs / mine <= LIMIT


async def _times(rig: Rig, what: str) -> list[float]:
    """How long the quiet tenant waits, again and again."""
    found, end = [], time.monotonic() + SECONDS
    while time.monotonic() < end:
        begun = time.monotonic()
        with contextlib.suppress(GaveUp):  # so long, at least
            await rig.ask(what)
        found.append(time.monotonic() - begun)
        await asyncio.sleep(_PAUSE_S)
    return found


def _p99(times: Sequence[float]) -> float:
    return sorted(times)[min(len(times) - 1, int(len(times) * 0.99))]


@contextlib.asynccontextmanager
async def _attack(rig: Rig, name: str) -> AsyncIterator[None]:
    """The attack is under way for as long as the block lasts."""
    async with _hanging_crms(rig) if name == "crm" else _neighbour(rig, name):
        yield


@contextlib.asynccontextmanager
async def _hanging_crms(rig: Rig) -> AsyncIterator[None]:
    """The CRMs of four tenants, half as many as there are workers, take what is sent and say
    nothing."""
    await rig.scene.crm.add_fault(kind="slow", times=None, text="contacts", seconds=3600)
    try:
        for tenant in rig.hanging:
            key = f"P{secrets.token_urlsafe(6)}"
            await bulk(tenant, "person", [{"key": key, "fields": {"last_name": key}}])
        mark = await rig.scene.crm.last_request()

        async def hangs() -> bool:
            found = await rig.scene.crm.requests(after=mark)
            return any("contacts" in str(one["body"]) for one in found)

        with contextlib.suppress(GaveUp):  # a CRM that has hung before is left alone for a while
            await until("a CRM hangs", hangs, deadline_s=5)
        yield
    finally:
        await rig.scene.crm.clear_faults()


@contextlib.asynccontextmanager
async def _neighbour(rig: Rig, name: str) -> AsyncIterator[None]:
    """The neighbour as a process of its own."""
    given = {
        "url": rig.scene.url,
        "ca": str(rig.scene.ca),
        "tenant": rig.noisy.id,
        "email": rig.noisy.login.email,
        "password": rig.noisy.login.password,
    }
    process = await asyncio.create_subprocess_exec(
        *(sys.executable, "-m", "bench.neighbour", name),
        stdin=asyncio.subprocess.PIPE,
        stdout=asyncio.subprocess.PIPE,
        preexec_fn=_be_elsewhere,
    )
    assert process.stdin is not None
    assert process.stdout is not None
    process.stdin.write(json.dumps(given).encode() + b"\n")
    await process.stdin.drain()
    try:
        async with asyncio.timeout(60):
            await process.stdout.readline()  # "under way"
        yield
    finally:
        with contextlib.suppress(ProcessLookupError):
            process.kill()
        await process.wait()


def _be_elsewhere() -> None:
    """A real neighbour works on a machine of its own: here it takes what the others leave."""
    os.nice(19)


@contextlib.asynccontextmanager
async def _rig() -> AsyncIterator[Rig]:
    with tempfile.TemporaryDirectory(prefix="bulkhead-bench-") as folder:
        Path(folder).chmod(0o711)
        layout = Layout(Path(folder) / "run")
        async with running(layout) as suite:
            operator = await first_operator(layout, suite)
            async with _scene(layout, operator) as played:
                noisy, quiet = [await sign_up(played, one, f"Tenant {one}") for one in "AB"]
                await _move(played, quiet)
                rig = Rig(suite, played, noisy, quiet)
                await _fill(rig)
                yield rig


@contextlib.asynccontextmanager
async def _scene(layout: Layout, operator: Login) -> AsyncIterator[Scene]:
    ca = layout.certificates / "authority.pem"
    crm = StoryCrm(layout.ports["simulator"], ca, layout.root / "simulator")
    async with scene(layout.url, ca, operator, crm, layout.crm_url) as played:
        yield played


async def _move(played: Scene, tenant: SceneTenant) -> None:
    """To an address of its own: the edge bounds what each address may ask."""
    await played.operator.put(f"/v1/allowlists/{tenant.id}", {"ranges": [f"{_ELSEWHERE}/32"]})
    tenant.api = await played.session(tenant.login, source=_ELSEWHERE)


async def _fill(rig: Rig) -> None:
    """A record and a CRM for the quiet tenant; CRMs that hang, and work for them, for others."""
    await bulk(rig.quiet, "organisation", [{"key": "Q", "fields": {"name": "Q", "symbol": "Q"}}])
    page = await rig.quiet.api.get(rig.quiet.path("records/organisation"))
    rig.record = page["records"][0]["id"]
    await _connect(rig, rig.quiet, "organisation", "accounts", dict(CHOSEN))
    rig.hanging = [await sign_up(rig.scene, one, f"Tenant {one}") for one in "CDEF"]
    for tenant in rig.hanging:
        await _connect(rig, tenant, "person", "contacts", {"last_name": "lastname"})


async def _connect(
    rig: Rig, tenant: SceneTenant, module: str, table: str, fields: dict[str, str]
) -> None:
    key = "bulkhead_symbol" if table == "accounts" else "bulkhead_key"
    body = {
        "name": "CRM",
        "kind": "dataverse",
        "environment_url": rig.scene.crm_url,
        "authority_url": rig.scene.crm_url,
        **rig.scene.crm.credentials(),
        "modules": {module: {"table": table, "key_attribute": key, "fields": fields}},
    }
    made = await tenant.api.post(tenant.path("connections"), body)
    path = tenant.path(f"field-choices/{made['id']}/{module}")
    await tenant.api.put(path, {"fields": sorted(fields)})


if __name__ == "__main__":
    parser = argparse.ArgumentParser(prog="python -m bench.neighbours")
    names = [case.attack for case in CASES]
    parser.add_argument("attack", nargs="*", help=f"of {', '.join(names)}; none: all")
    wanted = parser.parse_args().attack
    if unknown := set(wanted) - set(names):
        parser.error(f"no such attack: {', '.join(sorted(unknown))}")
    sys.exit(0 if asyncio.run(main(wanted)) else 1)
