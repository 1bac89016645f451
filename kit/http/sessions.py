"""Database sessions as dependencies that end before the response: a failed commit is an error."""

from collections.abc import AsyncIterator
from typing import Annotated

from fastapi import Depends, Request

from kit.db import Database, ReadSession, WriteSession
from kit.http.parts import parts_of


async def _read(request: Request) -> AsyncIterator[ReadSession]:
    async with parts_of(request.app, Database).read() as session:
        yield session


async def _write(request: Request) -> AsyncIterator[WriteSession]:
    async with parts_of(request.app, Database).write() as session:
        yield session


Read = Annotated[ReadSession, Depends(_read, scope="function")]
Write = Annotated[WriteSession, Depends(_write, scope="function")]
