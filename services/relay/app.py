"""Wiring of the relay: a loop for each outbox, and health for whoever watches the process."""

from fastapi import FastAPI

from contracts.broker import open_broker
from kit.chassis import Made, build
from kit.relay import Relay
from kit.timers import Timer
from services.relay.letter_watch import EVERY_S, LetterWatch
from services.relay.settings import RelaySettings

NAME = "relay"


def create_app(settings: RelaySettings) -> FastAPI:
    """The relay as an app without routes of its own: /livez, /readyz and metrics."""
    broker = open_broker(settings.amqp_url)
    relay, watch = Relay(settings.outbox_urls, broker), LetterWatch(settings.amqp_url)
    return build(
        Made(
            name=NAME,
            broker=broker,
            loops=relay.loops(),
            timers=[Timer("letters", EVERY_S, watch.look)],
            closing=[watch.close],
            wanted={"letters": watch.check},
            needed={"broker": broker.ping, "outboxes": relay.check_outboxes},
            needs_loops=True,
        )
    )
