"""A wrong key-encryption key is noticed at the start, before anything is sealed with it.

The first start seals a proof with the KEK and keeps it in the service's database; each later start
has to open it. Where an installation is older than its proof, something that was sealed before is
the first witness.
"""

from collections.abc import Awaitable, Callable

from sqlalchemy import text

from kit.causes import NotReady
from kit.db import Database
from kit.sealing import Kek, SealBroken, new_key

WRONG = (
    "the key-encryption key is not the one that this service's data was sealed with: put the right"
    " file in its place and start again"
)
_GET = text("SELECT sealed FROM key_proof WHERE service = :service")
_ADD = text(
    "INSERT INTO key_proof (service, sealed) VALUES (:service, :sealed) ON CONFLICT DO NOTHING"
)

Witness = Callable[[], Awaitable[None]]
Step = Callable[[], Awaitable[None]]


def key_proof(db: Database, kek: Kek, service: str, witness: Witness) -> Step:
    """A step for the opening of a service. `witness` opens something that was sealed with the KEK
    and raises SealBroken where that fails; nothing to open is fine."""

    async def prove() -> None:
        """Raises NotReady with WRONG."""
        try:
            sealed = await _proof(db, service)
            if sealed is None:
                await witness()
                async with db.write() as session:
                    made = kek.wrap(new_key(), _place(service))
                    await session.run(_ADD, {"service": service, "sealed": made})
                sealed = await _proof(db, service)  # of two that begin at once, one was first
            kek.unwrap(sealed or b"", _place(service))
        except SealBroken:
            raise NotReady(WRONG) from None

    return prove


async def _proof(db: Database, service: str) -> bytes | None:
    async with db.read() as session:
        found: bytes | None = await session.scalar(_GET, {"service": service})
    return found


def _place(service: str) -> bytes:
    return b"bulkhead.key-proof|" + service.encode()
