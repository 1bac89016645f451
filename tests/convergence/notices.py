"""How sync is told that there is something: in memory, or by a RabbitMQ that is killed."""

import asyncio
import contextlib
import time

from sqlalchemy import text

from contracts.broker import BULKHEAD, QUEUES
from contracts.events import JournalAdvanced
from kit.db import Database
from kit.messaging import BrokerDown, PublishFailed
from kit.messaging.amqp import AmqpBroker
from ops.local.rabbitmq import RabbitMq
from tests.broker_crash import crash
from tests.eventually import eventually
from tests.services.sync.running_sync import Sync

OUTAGE_S = 60.0  # of the real one, at least
_QUEUES = [QUEUES["sync"], f"{QUEUES['sync']}.dead"]
_SEEN = text("SELECT count(*) FROM inbox")


class Notices:
    """Those of a journal that advances; without a node they are only held back."""

    def __init__(self, node: RabbitMq | None) -> None:
        self._node, self._is_held, self._down_at = node, False, 0.0
        self.broker = AmqpBroker(f"{node.url}?heartbeat=1", BULKHEAD) if node else None

    @property
    def is_down(self) -> bool:
        return self._is_held

    async def tell(self, sync: Sync) -> None:
        """Nobody repeats a notice that is lost: the sweep of sync finds what it was about."""
        if self._is_held:
            return
        message = JournalAdvanced(tenant=sync.peer.tenant).to_message(source="/test")
        with contextlib.suppress(PublishFailed, BrokerDown):
            await (self.broker or sync.broker).publish(message)

    async def lose(self) -> bool:
        """The node is killed as by a crash; False where it is down already."""
        if self._is_held:
            return False
        if self._node is not None:
            await crash(self._node, _QUEUES)
        self._is_held, self._down_at = True, time.monotonic()
        return True

    async def find(self, *, at_once: bool = False) -> None:
        """It is back; a real one not before its time."""
        if not self._is_held:
            return
        if self._node is not None:
            if time.monotonic() < self._down_at + OUTAGE_S and not at_once:
                return
            await asyncio.to_thread(self._node.start)
        self._is_held = False

    async def come_again(self, sync: Sync) -> None:
        """In the end they arrive as in the beginning."""
        await self.find(at_once=True)
        before = await _seen(sync.parts.db)

        async def arrives() -> bool:
            await self.tell(sync)
            return await _seen(sync.parts.db) > before

        await eventually(arrives, 60.0)

    async def close(self) -> None:
        if self.broker is not None:
            await self.broker.close()


async def _seen(db: Database) -> int:
    async with db.read() as session:
        return int(await session.scalar(_SEEN))
