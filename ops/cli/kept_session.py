"""A login's session between two calls of the command line: its refresh token, for its owner only.

So a call does not hash the password again, and a lockout does not stop who is in. One call at a
time exchanges the token: two that did it at once would look like a theft and end the session.
"""

import asyncio
import contextlib
import fcntl
import hashlib
import json
import os
import stat
from collections.abc import AsyncIterator
from pathlib import Path

from ops.api import GaveUp, Login
from ops.secrets import write_private

_DEADLINE_S = 90.0


class KeptSession:
    """The session of `login` at `url`, in a folder beside the credentials file.

    What cannot be read or kept only costs a log-in: the next call knows nothing of a session.
    """

    def __init__(self, credentials: Path, url: str, login: Login) -> None:
        whose = json.dumps([url, login.tenant, login.email]).encode()
        self._folder = credentials.with_name(f".{credentials.name}.sessions")
        self._file = self._folder / hashlib.sha256(whose).hexdigest()[:32]

    @contextlib.asynccontextmanager
    async def alone(self) -> AsyncIterator[None]:
        """Nobody else exchanges or keeps this token meanwhile."""
        try:
            lock = self._open_lock()
        except OSError:  # a folder that cannot be written: nothing is kept there either
            yield
            return
        try:
            await _take(lock)
            yield
        finally:
            os.close(lock)

    def load(self) -> str:
        """The refresh token; empty where there is none, or none that only we could have read."""
        try:
            descriptor = os.open(self._file, os.O_RDONLY | os.O_NOFOLLOW)
            with os.fdopen(descriptor) as file:
                if stat.S_IMODE(os.fstat(descriptor).st_mode) & 0o077:
                    return ""
                found = json.loads(file.read(8192))["refresh_token"]
        except (OSError, ValueError, LookupError, TypeError):
            return ""
        return found if isinstance(found, str) else ""

    def keep(self, refresh_token: str) -> None:
        """Replace the token; a used one must not stay, so where that fails none does."""
        try:
            write_private(self._file, json.dumps({"refresh_token": refresh_token}) + "\n")
        except OSError:
            self.forget()

    def forget(self) -> None:
        with contextlib.suppress(OSError):
            self._file.unlink()

    def _open_lock(self) -> int:
        self._folder.mkdir(mode=0o700, exist_ok=True)
        lock = self._file.with_suffix(".lock")
        return os.open(lock, os.O_RDWR | os.O_CREAT | os.O_NOFOLLOW, 0o600)


async def _take(lock: int) -> None:
    end = asyncio.get_running_loop().time() + _DEADLINE_S
    while asyncio.get_running_loop().time() < end:
        with contextlib.suppress(BlockingIOError):
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
            return
        await asyncio.sleep(0.02)
    raise GaveUp(f"another command renews this session: not within {_DEADLINE_S:.0f} s")
