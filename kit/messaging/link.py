"""One AMQP connection that is opened when it is needed, and opened again after it broke."""

import asyncio
import contextlib
from collections.abc import AsyncIterator
from urllib.parse import parse_qsl, urlencode, urlsplit, urlunsplit

import aio_pika
from aio_pika.abc import AbstractChannel, AbstractConnection
from aio_pika.exceptions import CONNECTION_EXCEPTIONS, ChannelNotFoundEntity

from kit.causes import UNKNOWN, cause_of

CONNECT_DEADLINE_S = 5.0
CLOSE_DEADLINE_S = 1.0
HEARTBEAT_S = 10
# by name: aio_pika hands on the classes of its own library without naming them all
REFUSALS = {"AuthenticationError", "ProbableAuthenticationError", "ChannelAccessRefused"}


class Link:
    """At most one open connection; channels of a broken one report themselves closed."""

    def __init__(self, url: str, name: str) -> None:
        """`name` is what the broker shows of the connection."""
        self._url, self._name = _with_heartbeat(url), name
        self._lock = asyncio.Lock()
        self._connection: AbstractConnection | None = None

    async def open_channel(self, *, on_return_raises: bool = False) -> AbstractChannel:
        """A fresh channel with publisher confirms; raises CONNECTION_EXCEPTIONS."""
        async with asyncio.timeout(CONNECT_DEADLINE_S), own_cancellation_only():
            async with self._lock:
                connection = await self._open_connection()
            return await connection.channel(
                publisher_confirms=True, on_return_raises=on_return_raises
            )

    @contextlib.asynccontextmanager
    async def channel(self) -> AsyncIterator[AbstractChannel]:
        """A fresh channel that is closed afterwards, whatever happened to it in between."""
        channel = await self.open_channel()
        try:
            yield channel
        finally:
            await close_quietly(channel)

    async def close(self) -> None:
        connection, self._connection = self._connection, None
        if connection is not None:
            await close_quietly(connection)

    async def _open_connection(self) -> AbstractConnection:
        if self._connection is None or not self._connection.connected.is_set():
            await self.close()
            self._connection = await aio_pika.connect(
                self._url,
                timeout=CONNECT_DEADLINE_S,
                client_properties={"connection_name": self._name},
            )
        return self._connection


async def close_quietly(thing: AbstractChannel | AbstractConnection) -> None:
    """Close what may be broken already, without waiting for a peer that does not answer."""
    with contextlib.suppress(*CONNECTION_EXCEPTIONS):
        async with asyncio.timeout(CLOSE_DEADLINE_S), own_cancellation_only():
            await thing.close()


def why_down(error: BaseException) -> str:
    """In words of ours: the library's texts carry the address with its password."""
    if type(error).__name__ in REFUSALS:
        return "the broker refuses the login, or this user has no right to that queue"
    if isinstance(error, ChannelNotFoundEntity):
        return "the broker has no such exchange or queue"
    said = cause_of(error)
    return "it does not answer" if said == UNKNOWN else said


@contextlib.asynccontextmanager
async def own_cancellation_only() -> AsyncIterator[None]:
    """A CancelledError that nobody meant for this task is a broken connection.

    The library ends whoever waits on a channel that somebody else closes by cancelling him.
    """
    task = asyncio.current_task()
    before = task.cancelling() if task else 0
    try:
        yield
    except asyncio.CancelledError:
        if task is not None and task.cancelling() > before:
            raise
        raise ConnectionError("the channel was closed by another task") from None


def _with_heartbeat(url: str) -> str:
    """A peer that vanished without a word is noticed after some heartbeats."""
    parts = urlsplit(url)
    query = {"heartbeat": str(HEARTBEAT_S)} | dict(parse_qsl(parts.query))
    return urlunsplit(parts._replace(query=urlencode(query)))
