"""One installation in containers from first start to end, as docs/guides/compose.md says."""

import asyncio
import contextlib
import secrets
import socket
import tempfile
from collections.abc import AsyncIterator
from dataclasses import dataclass
from pathlib import Path

import httpx2
from rich.console import Console

from ops.api import Api, Login, until
from ops.local.layout import CRM_NAME
from ops.story.crm import StoryCrm
from ops.story.play import play
from ops.story.scene import Callers, Scene, scene
from ops.story.teller import Teller, must
from tests.compose.engine import Project

PLAIN = ("docker-compose.yml",)
WITH_CRM = ("docker-compose.yml", "compose.test.yml")
_SECRETS = "/run/secrets/bulkhead"
_SIMULATOR = "/var/lib/sandbox"
_INVITATION = "/tmp/first-invitation"  # inside a container
_EMAIL = "operator@bulkhead.example"
_PUBLISHED = Callers(("172.16.0.0/12", "192.168.0.0/16"), None)
"""A published port's calls all come from the engine's own network."""


@dataclass(frozen=True)
class Installation:
    """A project, the ports that it publishes, and a folder for what its clients know."""

    project: Project
    folder: Path

    @property
    def url(self) -> str:
        return f"https://localhost:{self.project.variables['EDGE_PORT']}"

    @property
    def authority(self) -> Path:
        return self.folder / "authority.pem"

    @property
    def has_crm(self) -> bool:
        return self.project.files == WITH_CRM

    async def start(self) -> None:
        """Bring it up and wait until all is well and the edge answers."""
        await asyncio.to_thread(self.project.up)
        await until("every container is well", self._is_well, deadline_s=120)
        await asyncio.to_thread(self._learn_authority)
        async with Api(self.url, self.authority) as nobody:
            await until("the edge answers", lambda: _answers(nobody))

    async def _is_well(self) -> bool:
        return not await asyncio.to_thread(self.project.not_well)

    def _learn_authority(self) -> None:
        place = f"{_SECRETS}/certificates/authority.pem"
        command = ("run", "--rm", "--no-deps", "--no-TTY", "--entrypoint", "cat", "secrets", place)
        self.authority.write_text(self.project.compose(*command))

    async def first_operator(self) -> Login:
        """Invited inside auth's container, accepted through the edge."""
        inside = ("exec", "--no-TTY", "auth")
        invite = ("python", "-m", "services.auth", "first-invitation", "--email", _EMAIL)
        self.project.compose(*inside, *invite, "--output", _INVITATION)
        invitation = self.project.read("auth", _INVITATION).strip()
        self.project.compose(*inside, "rm", _INVITATION)
        login = Login(_EMAIL, secrets.token_urlsafe(24))
        async with Api(self.url, self.authority, login) as api:
            await api.accept(invitation)
        return login

    def crm(self) -> StoryCrm | None:
        """The simulator's control interface, where the installation has one."""
        if not self.has_crm:
            return None
        state = self.folder / "simulator"
        state.mkdir()
        for name in ("control-token", "credentials.json"):
            (state / name).write_text(self.project.read("simulator", f"{_SIMULATOR}/state/{name}"))
        (state / "authority.pem").write_text(
            self.project.read("simulator", f"{_SIMULATOR}/authority.pem")
        )
        port = int(self.project.variables["CRM_PORT"])
        return StoryCrm(port, state / "authority.pem", state)


async def _answers(nobody: Api) -> bool:
    with contextlib.suppress(httpx2.TransportError):
        return (await nobody.raw("GET", "/v1/me")).status_code == 401
    return False


@contextlib.asynccontextmanager
async def installed(files: tuple[str, ...]) -> AsyncIterator[Installation]:
    """An installation that is not up yet; whatever happens, nothing of it stays."""
    ports = {name: str(_free_port()) for name in ("EDGE_PORT", "CRM_PORT")}
    project = Project(f"bulkhead-test-{secrets.token_hex(4)}", files, ports)
    with tempfile.TemporaryDirectory(prefix="bulkhead-compose-") as folder:
        try:
            yield Installation(project, Path(folder))
        finally:
            await asyncio.to_thread(project.down)


async def prove(here: Installation, tell: Teller, console: Console) -> None:
    """Up, the story, stop, up again with the same data, down without a trace."""
    with tell.step(f"{' and '.join(here.project.files)}: everything comes up") as proved:
        await here.start()
        proved("every container is healthy or has ended with 0, and the edge answers")
    operator = await here.first_operator()
    callers, crm_url = _PUBLISHED, f"https://{CRM_NAME}"
    async with scene(
        here.url, here.authority, operator, here.crm(), crm_url, callers=callers
    ) as played:
        console.print("\nThe story through the edge:")
        await play(played)
        console.print()
        with tell.step("Stopped and started again: the same data") as proved:
            proved(await _same_after_restart(here, played))
    with tell.step("Taken down: nothing is left") as proved:
        await asyncio.to_thread(here.project.down)
        must(not here.project.left_over(), "no container, volume or network is left")
        proved("no container, volume or network of its name")


async def _same_after_restart(here: Installation, played: Scene) -> str:
    before = {letter: await one.fingerprint() for letter, one in played.tenants.items()}
    await asyncio.to_thread(here.project.stop)
    running = here.project.not_ended()
    must(not running, f"every container has ended in order, but {', '.join(running)}")
    await here.start()
    after = {letter: await one.fingerprint() for letter, one in played.tenants.items()}
    must(after == before, "both tenants are equal by count and hash")
    return "every container ended with 0; both tenants are equal by count and hash"


def _free_port() -> int:
    with socket.socket() as one:
        one.bind(("127.0.0.1", 0))
        return int(one.getsockname()[1])
