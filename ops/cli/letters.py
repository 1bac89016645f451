"""`bulkhead letters`: notices that a service could not handle; asks the broker, not the API."""

import asyncio
import json
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import typer

from contracts.broker import QUEUES, open_letters
from kit.messaging import BrokerDown
from kit.messaging.letters import Letter, Letters
from ops.cli.ending import REFUSED, UNREACHABLE, fail
from ops.cli.files import read_text
from ops.cli.session import session

app = typer.Typer(
    help="Dead letters: list, show, send again, drop. With the broker's operator user.",
    no_args_is_help=True,
)
_UNROUTED = "unrouted"
_URL = typer.Option(
    Path(".run/secrets/operator/amqp_url"),
    "--broker",
    envvar="BULKHEAD_AMQP_URL_FILE",
    help="file with the broker's address",
)
_SERVICE = typer.Argument(..., help=f"{', '.join(QUEUES)}, or {_UNROUTED}")
_ID = typer.Argument(None, help="id of the letter")
_ALL = typer.Option(False, "--all", help="every letter of that queue")


@app.command("list")
def list_(context: typer.Context, url: Path = _URL) -> None:
    """The oldest letters of every queue."""

    async def work(letters: Letters) -> list[Letter]:
        counts = await letters.counts()
        return [one for queue, n in counts.items() if n for one in await letters.list(queue)]

    rows = [_row(one) for one in _run(url, work)]
    session(context).show(rows, ("queue", "id", "topic", "died_at", "reason"))


@app.command()
def show(context: typer.Context, service: str = _SERVICE, id_: str = _ID, url: Path = _URL) -> None:
    """One letter whole."""
    queue = _queue(service)

    async def work(letters: Letters) -> list[Letter]:
        return [one for one in await letters.list(queue, 10_000) if one.id == id_]

    found = _run(url, work) or fail(f"no letter {id_} of {service}", REFUSED)
    session(context).show_one(_row(found[0]) | {"notice": _notice(found[0])})


@app.command()
def replay(
    context: typer.Context,
    service: str = _SERVICE,
    id_: str = _ID,
    every: bool = _ALL,
    url: Path = _URL,
) -> None:
    """Send a letter (or all) to its service again."""
    queue = _queue(service) or fail("what no queue asked for cannot be sent again", REFUSED)
    wanted = _wanted(id_, every)
    sent = _run(url, lambda letters: letters.replay(queue, wanted))
    _tell(context, "sent again", sent, service, id_)


@app.command()
def drop(
    context: typer.Context,
    service: str = _SERVICE,
    id_: str = _ID,
    every: bool = _ALL,
    url: Path = _URL,
) -> None:
    """Forget a letter (or all): services find what it told of by their sweeps."""
    queue, wanted = _queue(service), _wanted(id_, every)
    dropped = _run(url, lambda letters: letters.drop(queue, wanted))
    _tell(context, "dropped", dropped, service, id_)


def _queue(service: str) -> str | None:
    if service == _UNROUTED:
        return None
    names = ", ".join((*QUEUES, _UNROUTED))
    return QUEUES.get(service) or fail(f"no queue of {service}: name one of {names}", REFUSED)


def _wanted(id_: str | None, every: bool) -> Callable[[Letter], bool]:
    if every == (id_ is not None):
        fail("name the id of one letter, or --all", REFUSED)
    return lambda letter: every or letter.id == id_


def _tell(context: typer.Context, done: str, count: int, service: str, id_: str | None) -> None:
    if id_ is not None and not count:
        fail(f"no letter {id_} of {service}", REFUSED)
    session(context).show_one({"service": service, done: count})


def _run(url: Path, work: Callable[[Letters], Awaitable[Any]]) -> Any:
    address = _address(url)

    async def whole() -> Any:
        letters = open_letters(address)
        try:
            return await work(letters)
        finally:
            await letters.close()

    try:
        return asyncio.run(whole())
    except BrokerDown as down:
        fail(f"the broker: {down}", UNREACHABLE)


def _address(file: Path) -> str:
    address = read_text(file, "file of the broker's address", UNREACHABLE).strip()
    try:
        parts = urlsplit(address)
        usable = parts.scheme in {"amqp", "amqps"} and parts.hostname and parts.port != 0
    except ValueError:
        usable = False
    return address if usable else fail(f"{file} holds no address of a broker", UNREACHABLE)


def _row(letter: Letter) -> dict[str, Any]:
    return {
        "queue": letter.queue or _UNROUTED,
        "id": letter.id,
        "topic": letter.topic,
        "died_at": letter.died_at and letter.died_at.isoformat(),
        "reason": letter.reason,
    }


def _notice(letter: Letter) -> Any:
    """The envelope; notices carry references only."""
    try:
        return json.loads(letter.body)
    except ValueError:
        return f"{len(letter.body)} bytes that are no JSON"
