"""Connections with the bounds that uvicorn lacks: slow headers and slow readers are cut, headers
have a size, and who does nothing makes room for who comes."""

import asyncio
from typing import Any

from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol


class Connections:
    """How many connections a server holds, how long each may wait, and which are idle.

    Idle is a connection whose next request is not there yet: it may be closed at any time
    (RFC 9112 section 9.5), the one that has waited longest first.
    """

    def __init__(
        self,
        *,
        most: int = 4000,
        header_timeout_s: float = 10.0,
        write_timeout_s: float = 30.0,
        header_bytes: int = 64 * 1024,
    ) -> None:
        self.most, self.header_bytes = most, header_bytes
        self.header_timeout_s, self.write_timeout_s = header_timeout_s, write_timeout_s
        self._idle: dict[BoundedProtocol, None] = {}
        self._count = 0

    def enter(self, connection: "BoundedProtocol") -> bool:
        """False where no room could be made."""
        self._count += 1
        if self._count > self.most:
            longest = next(iter(self._idle), None)
            if longest is None:
                return False
            self.wake(longest)
            longest.transport.close()
        self.rest(connection)
        return True

    def leave(self, connection: "BoundedProtocol") -> None:
        self._count -= 1
        self.wake(connection)

    def rest(self, connection: "BoundedProtocol") -> None:
        self._idle.setdefault(connection)

    def wake(self, connection: "BoundedProtocol") -> None:
        self._idle.pop(connection, None)


class BoundedProtocol(HttpToolsProtocol):
    """One connection under the rules of `bounds`.

    uvicorn's keep-alive time-out covers a silent connection only after an answer; the deadline for
    headers counts from the first moment of the connection and from the first byte of each later
    request. A reader has to take some of the answer within the time-out for writing.
    """

    bounds: Connections
    _deadline: asyncio.TimerHandle | None = None
    _write_deadline: asyncio.TimerHandle | None = None
    _header_bytes: int | None = 0

    def connection_made(self, transport: Any) -> None:
        super().connection_made(transport)
        if not self.bounds.enter(self):
            transport.abort()
            return
        self._start_deadline()

    def data_received(self, data: bytes) -> None:
        if self._header_bytes is not None:  # between two requests
            self._header_bytes += len(data)
        super().data_received(data)
        if self._header_bytes is not None and self._header_bytes > self.bounds.header_bytes:
            self.transport.close()

    def on_message_begin(self) -> None:
        super().on_message_begin()
        self._start_deadline()

    def on_headers_complete(self) -> None:
        self._stop_deadline()
        self._header_bytes = None
        self.bounds.wake(self)
        super().on_headers_complete()

    def on_message_complete(self) -> None:
        super().on_message_complete()
        self._header_bytes = 0

    def on_response_complete(self) -> None:
        super().on_response_complete()
        if not self.pipeline and not self.transport.is_closing():
            self.bounds.rest(self)

    def pause_writing(self) -> None:
        super().pause_writing()
        self._stop_write_deadline()
        self._write_deadline = self.loop.call_later(
            self.bounds.write_timeout_s, self.transport.abort
        )

    def resume_writing(self) -> None:
        self._stop_write_deadline()
        super().resume_writing()

    def connection_lost(self, exc: Exception | None) -> None:
        self._stop_deadline()
        self._stop_write_deadline()
        self.bounds.leave(self)
        super().connection_lost(exc)

    def _start_deadline(self) -> None:
        self._stop_deadline()
        self._deadline = self.loop.call_later(self.bounds.header_timeout_s, self.transport.close)

    def _stop_deadline(self) -> None:
        if self._deadline is not None:
            self._deadline.cancel()
            self._deadline = None

    def _stop_write_deadline(self) -> None:
        if self._write_deadline is not None:
            self._write_deadline.cancel()
            self._write_deadline = None
