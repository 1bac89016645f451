"""A few processes for work that would hold up the event loop: bounded in time and memory, and
replaced when they fail.

A worker is `python -m <module>` whose main calls `serve`. It has no environment and no files: bytes
come in, bytes go out. It steps back behind everything else on the machine (nice).
"""

import asyncio
import contextlib
import os
import resource
import struct
import sys
from asyncio.subprocess import DEVNULL, PIPE, Process
from collections.abc import Callable

from kit import logs
from kit.supervisor import spawn

_LENGTH = struct.Struct(">BQ")
_DONE, _FAILED = 0, 1
_NICE = 10
_PIECE = 64 * 1024
_log = logs.get(__name__)


class TooCostly(Exception):
    """The work took more time or memory than it may; the worker is gone, nothing came of it."""


class WorkerFailed(Exception):
    """The work raised an error; the text names its type only."""


class Workers:
    """At most `count` processes of `module`, started when they are needed first.

    Who asks while all are busy waits: bound that before you ask.
    """

    def __init__(
        self, module: str, *, count: int = 2, within_s: float = 20.0, memory: int = 1 << 30
    ) -> None:
        self._command = (sys.executable, "-m", module, str(memory))
        self._free, self._within_s = asyncio.Semaphore(count), within_s
        self._idle: list[Process] = []
        self._all: set[Process] = set()

    async def run(self, *parts: bytes) -> bytes:
        """The worker's answer to the joined parts. Raises TooCostly or WorkerFailed."""
        async with self._free:
            worker = self._idle.pop() if self._idle else await self._start()
            try:
                async with asyncio.timeout(self._within_s):
                    kind, answer = await _ask(worker, parts)
            except (TimeoutError, asyncio.IncompleteReadError, ConnectionError) as error:
                _log.warning("worker cut", error=type(error).__name__)
                raise TooCostly from error
            else:
                self._idle.append(worker)
            finally:
                if worker not in self._idle:
                    await self._end(worker)
        if kind == _DONE:
            return answer
        name = answer.decode()
        raise TooCostly if name == MemoryError.__name__ else WorkerFailed(name)

    async def close(self) -> None:
        """End all; those at work are cut, and their callers told so."""
        idle = self._idle[:]
        self._idle.clear()
        for worker in self._all.difference(idle):
            _kill(worker)
        for worker in idle:
            await self._end(worker)

    async def _start(self) -> Process:
        worker = await asyncio.create_subprocess_exec(
            *self._command, stdin=PIPE, stdout=PIPE, stderr=DEVNULL, env={}
        )
        self._all.add(worker)
        return worker

    async def _end(self, worker: Process) -> None:
        self._all.discard(worker)
        _kill(worker)
        await asyncio.shield(spawn(worker.communicate(), "end of a worker"))


def _kill(worker: Process) -> None:
    with contextlib.suppress(ProcessLookupError):
        worker.kill()


async def _ask(worker: Process, parts: tuple[bytes, ...]) -> tuple[int, bytes]:
    assert worker.stdin is not None
    assert worker.stdout is not None
    worker.stdin.write(_LENGTH.pack(_DONE, sum(map(len, parts))))
    for part in parts:  # piece by piece: a whole body would be copied at once, on the event loop
        view = memoryview(part)
        for start in range(0, len(view), _PIECE):
            worker.stdin.write(view[start : start + _PIECE])
            await worker.stdin.drain()
    await worker.stdin.drain()
    kind, length = _LENGTH.unpack(await worker.stdout.readexactly(_LENGTH.size))
    return kind, await worker.stdout.readexactly(length)


def serve(work: Callable[[bytes], bytes]) -> None:
    """The main of a worker: answer until the parent closes the pipe. argv[1] bounds its memory."""
    limit = int(sys.argv[1])
    resource.setrlimit(resource.RLIMIT_AS, (limit, limit))
    os.nice(_NICE)
    with os.fdopen(0, "rb") as source, os.fdopen(1, "wb") as sink:
        while len(head := source.read(_LENGTH.size)) == _LENGTH.size:
            kind, answer = _answer(work, source.read(_LENGTH.unpack(head)[1]))
            sink.write(_LENGTH.pack(kind, len(answer)) + answer)
            sink.flush()


def _answer(work: Callable[[bytes], bytes], given: bytes) -> tuple[int, bytes]:
    try:
        return _DONE, work(given)
    except Exception as error:
        return _FAILED, type(error).__name__.encode()
