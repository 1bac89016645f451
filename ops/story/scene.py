"""Who and what the story is about; acts read and extend it."""

import contextlib
import hashlib
import json
import secrets
from collections.abc import AsyncIterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from ops import bodies
from ops.api import Api, Login
from ops.story.crm import StoryCrm
from ops.story.teller import StepFailed

CHOSEN = {
    "name": "name",
    "sector": "bulkhead_sector",
    "sub_industry": "bulkhead_subindustry",
    "headquarters": "bulkhead_headquarters",
    "founded": "bulkhead_founded",
}
"""The five fields that tenant A lets out, and where they go in the CRM."""


@dataclass
class SceneTenant:
    """A tenant of the story with the session of its administrator."""

    name: str
    id: str
    api: Api
    login: Login

    def path(self, rest: str) -> str:
        return f"/t/{self.id}/v1/{rest}"

    async def invite(self, email: str, level: int) -> str:
        """The one-time invitation of another user, given by the tenant's administrator."""
        body = bodies.invitation(email, level)
        invited = await self.api.post(self.path("users/invitations"), body)
        return str(invited["invitation"])

    async def records(self, module: str) -> list[dict[str, Any]]:
        """All records of a module, page by page."""
        found: list[dict[str, Any]] = []
        query: dict[str, Any] = {"limit": 500}
        while True:
            page = await self.api.get(self.path(f"records/{module}"), **query)
            found += page["records"]
            if not page["next_cursor"]:
                return found
            query["cursor"] = page["next_cursor"]

    async def fingerprint(self) -> dict[str, tuple[int, str]]:
        """Count and SHA-256 of all records of each module, order apart."""
        return {module: digest(await self.records(module)) for module in ("organisation", "person")}


def digest(records: list[dict[str, Any]]) -> tuple[int, str]:
    """Count and hash of records, whatever order they come in."""
    lines = sorted(json.dumps(record, sort_keys=True) for record in records)
    return len(lines), hashlib.sha256("\n".join(lines).encode()).hexdigest()[:16]


@dataclass(frozen=True)
class Callers:
    """Where the edge sees the story's calls come from: `ranges`. `outside` is a local address to
    call from that is not among them; None where every call arrives from the same address."""

    ranges: tuple[str, ...]
    outside: str | None


ON_THIS_MACHINE = Callers(("127.0.0.1/32",), "127.0.0.2")


@dataclass
class Scene:
    """The installation that the story plays in, and what it has brought about so far."""

    url: str
    ca: Path
    operator: Api
    simulator: StoryCrm | None
    crm_url: str
    stack: contextlib.AsyncExitStack
    callers: Callers = field(default_factory=lambda: ON_THIS_MACHINE)
    tenants: dict[str, SceneTenant] = field(default_factory=dict)
    connection: str = ""
    mark: int = 0
    backup: str = ""
    before: dict[str, dict[str, tuple[int, str]]] = field(default_factory=dict)

    @property
    def crm(self) -> StoryCrm:
        """The CRM's side; acts that need it are not played where there is none."""
        if self.simulator is None:
            raise StepFailed("this installation has no CRM simulator")
        return self.simulator

    @property
    def a(self) -> SceneTenant:
        return self.tenants["A"]

    @property
    def b(self) -> SceneTenant:
        return self.tenants["B"]

    async def session(self, login: Login | None, source: str | None = None) -> Api:
        """A client of its own, closed with the scene."""
        return await self.stack.enter_async_context(Api(self.url, self.ca, login, source=source))


def new_password() -> str:
    """A random password; nobody types it."""
    return secrets.token_urlsafe(24)


@contextlib.asynccontextmanager
async def scene(
    url: str,
    ca: Path,
    operator: Login,
    crm: StoryCrm | None,
    crm_url: str,
    *,
    callers: Callers = ON_THIS_MACHINE,
) -> AsyncIterator[Scene]:
    """A scene whose sessions are closed at the end; without a CRM its act is not played."""
    async with contextlib.AsyncExitStack() as stack:
        api = await stack.enter_async_context(Api(url, ca, operator))
        if crm is not None:
            stack.push_async_callback(crm.aclose)
        yield Scene(url, ca, api, crm, crm_url, stack, callers)
