"""Wiring of the relay: one task that relays, and health for whoever watches the process."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress

from fastapi import FastAPI

from kit.http import build_app
from kit.messaging.amqp import AmqpBroker
from kit.relay import Relay
from services.relay.settings import RelaySettings


def create_app(settings: RelaySettings) -> FastAPI:
    """The relay as an app without routes of its own: /livez, /readyz and metrics."""
    broker = AmqpBroker(settings.amqp_url)
    relay = Relay(settings.outbox_urls, broker)

    @asynccontextmanager
    async def lifespan(_: FastAPI) -> AsyncIterator[None]:
        task = asyncio.create_task(relay.run(), name="relay")
        yield
        task.cancel()
        with suppress(asyncio.CancelledError):
            await task
        await broker.close()

    return build_app(
        title="relay",
        routers=[],
        checks={"broker": broker.ping, "outboxes": relay.check_outboxes},
        lifespan=lifespan,
    )
