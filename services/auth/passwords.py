"""Passwords: argon2id only, slow on purpose, hashed on a seat that every tenant gets its share of.

The cost follows RFC 9106 scaled to 46 MiB and one pass (the OWASP equivalent of its second
choice); the rules for new ones are those of NIST SP 800-63B-4: length and a blocklist, nothing on
their composition.
"""

import asyncio
import os
import secrets
import unicodedata
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from argon2 import PasswordHasher
from argon2.exceptions import InvalidHashError, VerificationError

SHORTEST = 15
LARGEST_BYTES = 1024
COST_KIB = 46 * 1024
_DISTINCT_BESIDES_COMMON = 5
_BLOCKLIST = tuple(
    sorted((Path(__file__).parent / "blocklist.txt").read_text().split(), key=len, reverse=True)
)


class Passwords:
    """Hashes and verifies in as many threads as there are cores; `seating` gives it to callers."""

    def __init__(self, *, cores: int | None = None, cost_kib: int = COST_KIB) -> None:
        self.at_once = cores = cores or os.cpu_count() or 1
        self._hasher = PasswordHasher(time_cost=1, memory_cost=cost_kib, parallelism=1)
        self._threads = ThreadPoolExecutor(cores, thread_name_prefix="argon2")
        self._nobodys = self._hasher.hash(secrets.token_urlsafe())

    async def hash(self, password: str) -> str:
        loop = asyncio.get_running_loop()
        return await loop.run_in_executor(self._threads, self._hasher.hash, normal(password))

    async def verify(self, password: str, stored: str | None) -> bool:
        """True for the right password; with nothing stored, as much work and always False."""
        loop = asyncio.get_running_loop()
        right = await loop.run_in_executor(
            self._threads, self._matches, stored or self._nobodys, normal(password)
        )
        return right and stored is not None

    def close(self) -> None:
        self._threads.shutdown(cancel_futures=True)

    def _matches(self, stored: str, password: str) -> bool:
        try:
            return self._hasher.verify(stored, password)
        except (VerificationError, InvalidHashError):
            return False


def normal(password: str) -> str:
    """One form for one password, however the keyboard composed it (NFKC)."""
    return unicodedata.normalize("NFKC", password)


def weakness(password: str, *, email: str) -> str | None:
    """Why a new password is refused, in words that do not quote it; None for a good one."""
    text = normal(password)
    if len(text) < SHORTEST:
        return f"a password has at least {SHORTEST} characters"
    if max(len(text.encode()), len(password.encode())) > LARGEST_BYTES:
        return f"a password has at most {LARGEST_BYTES} bytes"
    if len(set(_besides_common_words(text, email))) < _DISTINCT_BESIDES_COMMON:
        return "this password is too easy to guess: common words, a repetition or your address"
    return None


def _besides_common_words(text: str, email: str) -> str:
    """What is left without words that everybody tries, and without the user's own address."""
    left = text.casefold()
    for word in (email, *email.split("@"), *_BLOCKLIST):
        left = left.replace(word, "")
    return left
