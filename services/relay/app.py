"""Wiring of the relay: a loop for each outbox, and health for whoever watches the process."""

from fastapi import FastAPI

from kit.chassis import Made, build
from kit.messaging.amqp import AmqpBroker
from kit.relay import Relay
from services.relay.settings import RelaySettings

NAME = "relay"


def create_app(settings: RelaySettings) -> FastAPI:
    """The relay as an app without routes of its own: /livez, /readyz and metrics."""
    broker = AmqpBroker(settings.amqp_url)
    relay = Relay(settings.outbox_urls, broker)
    return build(
        Made(
            name=NAME,
            broker=broker,
            loops=relay.loops(),
            needed={"broker": broker.ping, "outboxes": relay.check_outboxes},
            needs_loops=True,
        )
    )
