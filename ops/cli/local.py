"""`bulkhead run`, `demo`, `clean`: the suite on this machine."""

import asyncio
import contextlib
import json
import shutil
import signal
import tempfile
from collections.abc import Coroutine
from pathlib import Path

import typer

from ops.answers import ApiRefused, ApiUnusable
from ops.api import GaveUp
from ops.cli.ending import INTERRUPTED, REFUSED, UNREACHABLE, fail
from ops.local.first_operator import first_operator
from ops.local.layout import Layout
from ops.local.suite import Suite, SuiteFailed, running
from ops.printing import say
from ops.secrets import read_json, write_private
from ops.story.crm import StoryCrm
from ops.story.play import play
from ops.story.scene import Scene, scene
from ops.story.teller import StepFailed

_FOLDER = typer.Option(Path(".run"), help="where the data, secrets and logs lie")
_FAILED = (SuiteFailed, OSError, ValueError)
_UNPROVED = (StepFailed, ApiRefused, ApiUnusable, GaveUp)


def run(folder: Path = _FOLDER) -> None:
    """Start the whole suite and stay up until Ctrl-C; the first start plays the story into it."""
    _guarded(_run(Layout(folder.resolve())))


def demo() -> None:
    """Play the story in a throw-away instance: exits 0, or says what failed and keeps the logs."""
    folder = Path(tempfile.mkdtemp(prefix="bulkhead-demo-"))
    folder.chmod(0o711)
    layout = Layout(folder / "run")
    try:
        _guarded(_demo(layout))
    except typer.Exit:
        say(f"the logs are in {layout.logs}")
        raise
    _forget(layout)
    shutil.rmtree(folder)


def clean(folder: Path = _FOLDER) -> None:
    """Remove the local suite's data, also what lies outside the folder."""
    _forget(Layout(folder.resolve()))


def _forget(layout: Layout) -> None:
    for place in (layout.servers, layout.edge, layout.root):
        shutil.rmtree(place, ignore_errors=True)


def _guarded(work: Coroutine[None, None, None]) -> None:
    try:
        asyncio.run(_stoppable(work))
    except asyncio.CancelledError:
        fail("stopped", INTERRUPTED)
    except _FAILED as error:
        fail(f"the suite did not start: {error}", UNREACHABLE)
    except _UNPROVED as error:
        fail(f"the story failed: {error}", REFUSED)


async def _stoppable(work: Coroutine[None, None, None]) -> None:
    """A first SIGTERM or Ctrl-C ends the work in order: nothing that it started stays behind."""
    task = asyncio.create_task(work)
    for number in (signal.SIGINT, signal.SIGTERM):
        asyncio.get_running_loop().add_signal_handler(number, task.cancel)
    await task


async def _run(layout: Layout) -> None:
    say(("Bulkhead", "bold"), " is starting")
    async with running(layout, say) as suite:
        supervising = asyncio.create_task(suite.supervise())
        try:
            if not layout.credentials.exists():
                await _tell(layout, suite)
            elif not _is_told(layout):
                say("The story did not end at the first start; `make clean` forgets it.")
            _follow_the_ports(layout)
            _print_addresses(layout)
            with contextlib.suppress(asyncio.CancelledError):
                await supervising  # until Ctrl-C
        finally:
            supervising.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                await supervising
            say("stopping")


async def _demo(layout: Layout) -> None:
    async with running(layout, say) as suite:
        await _tell(layout, suite)


def _is_told(layout: Layout) -> bool:
    return "tenants" in read_json(layout.credentials)


async def _tell(layout: Layout, suite: Suite) -> None:
    """The first operator, then the story; its logins go into the credentials file."""
    say("")
    say("The story on real input:")
    operator = await first_operator(layout, suite)
    ca = layout.certificates / "authority.pem"
    crm = StoryCrm(layout.ports["simulator"], ca, layout.root / "simulator")
    async with scene(layout.url, ca, operator, crm, layout.crm_url) as played:
        await play(played)
        _remember(layout, played)


def _remember(layout: Layout, played: Scene) -> None:
    known = read_json(layout.credentials)
    known["tenants"] = {
        tenant.id: {
            "name": tenant.name,
            "email": tenant.login.email,
            "password": tenant.login.password,
        }
        for tenant in played.tenants.values()
    }
    write_private(layout.credentials, json.dumps(known, indent=1) + "\n")


def _follow_the_ports(layout: Layout) -> None:
    """A folder that was copied or moved has other ports, and its authority elsewhere."""
    known = read_json(layout.credentials)
    here = {"url": layout.url, "ca": str(layout.certificates / "authority.pem")}
    if known != known | here:
        write_private(layout.credentials, json.dumps(known | here, indent=1) + "\n")


def _print_addresses(layout: Layout) -> None:
    certificates = layout.certificates
    say("")
    say(("Bulkhead is running:", "bold"), f" {layout.url}")
    for name, place in (
        ("trust", certificates / "authority.pem"),
        ("credentials", layout.credentials),
        ("logs", layout.logs),
        ("CRM simulator", f"{layout.crm_url} (for the sync service only)"),
    ):
        say(f"  {name:<14}{place}")
    say("Try `.venv/bin/bulkhead status`. Ctrl-C stops everything; the data stays.")
