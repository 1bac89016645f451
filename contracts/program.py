"""The command line of every program of ours: `serve` (the default), `migrate`, and its own.

A setting that is wrong or missing, or a file that cannot be read, is one sentence and exit code 2;
a database that does not do its part ends a command with exit code 3.
"""

import argparse
import asyncio
import contextlib
import os
import sys
from collections.abc import Awaitable, Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Generic, NoReturn, Protocol, TypeVar

from fastapi import FastAPI
from prometheus_client import Gauge

from contracts import log_fields
from contracts.settings import ProcessSettings, load
from contracts.version import VERSION
from kit import logs, telemetry
from kit.ending import in_words
from kit.http.serving import serve
from kit.migrate import Phase, migrate


class WithDatabase(Protocol):
    """Settings of a program that has a control database."""

    @property
    def database_url(self) -> str: ...


S = TypeVar("S", bound=ProcessSettings)
Migration = Callable[[S, Phase], Awaitable[object]]
_BUILD = Gauge("bulkhead_build_info", "Always 1; which version runs.", ["version"])


@dataclass(frozen=True)
class Command(Generic[S]):
    """A command of one program alone: `add` declares its arguments, `run` does it."""

    name: str
    help: str
    add: Callable[[argparse.ArgumentParser], object]
    run: Callable[[S, argparse.Namespace], object]


@dataclass(frozen=True)
class Program(Generic[S]):
    """`module` is what `python -m` runs; `settings` reads the environment."""

    name: str
    module: str
    settings: type[S]
    create_app: Callable[[S], FastAPI]
    migration: Migration[S] | None = None
    commands: Sequence[Command[S]] = ()

    def main(self) -> None:
        """Read the command line and the settings, and do what was asked."""
        given = self._parser().parse_args()
        settings = load(self.settings)
        logs.setup(self.name, settings.log_level, log_fields.FIELDS)
        match given.command:
            case "migrate":
                self._migrate(settings, given.phase)
            case None | "serve":
                self._serve(settings)
            case name:
                command = next(one for one in self.commands if one.name == name)
                with in_words(f"{self.name} {name} failed"):
                    command.run(settings, given)

    def _parser(self) -> argparse.ArgumentParser:
        parser = argparse.ArgumentParser(prog=f"python -m {self.module}")
        commands = parser.add_subparsers(dest="command")
        commands.add_parser("serve", help="serve HTTP until SIGTERM (the default)")
        if self.migration is not None:
            migrating = commands.add_parser("migrate", help="bring the databases up to date")
            migrating.add_argument("--phase", choices=["pre", "post", "all"], default="all")
        for command in self.commands:
            command.add(commands.add_parser(command.name, help=command.help))
        return parser

    def _serve(self, settings: S) -> None:
        with contextlib.ExitStack() as stack:
            try:
                stack.enter_context(observed(self.name))
                app = self.create_app(settings)
            except (OSError, ValueError) as error:
                self._refuse(error)
            serve(app, settings)

    def _migrate(self, settings: S, phase: Phase) -> None:
        assert self.migration is not None
        with in_words(f"{self.name} migrate failed"):
            asyncio.run(_awaited(self.migration(settings, phase)))

    def _refuse(self, error: Exception) -> NoReturn:
        sys.stderr.write(f"{self.name} does not start: {_in_words(error)}\n")
        sys.exit(2)


@contextlib.contextmanager
def observed(service: str) -> Iterator[None]:
    """For as long as a program serves: says which version runs, and records spans where the
    environment asks for it. Raises ValueError where it asks for what cannot be."""
    wants_traces = telemetry.wants_traces(os.environ)
    _BUILD.labels(VERSION).set(1)
    stop = telemetry.start(service, VERSION) if wants_traces else None
    try:
        yield
    finally:
        if stop is not None:
            stop()


def migrating(directory: Path) -> Callable[[WithDatabase, Phase], Awaitable[object]]:
    """The migration of a program whose control database is all that it has."""

    async def run(settings: WithDatabase, phase: Phase) -> object:
        return await migrate(settings.database_url, directory, phase=phase)

    return run


async def _awaited(work: Awaitable[object]) -> None:
    await work


def _in_words(error: Exception) -> str:
    if isinstance(error, OSError):
        return f"cannot read {error.filename}: {error.strerror}"
    return str(error)
