"""What existing brokers hold cannot be renamed or given other arguments: it stays as it is."""

from dataclasses import asdict

from contracts.broker import BULKHEAD, QUEUES
from contracts.events import READERS
from kit.messaging.topology import plan

KEEP = {"x-queue-type": "quorum", "x-delivery-limit": 1_000_000}
QUEUE = {
    "x-queue-type": "quorum",
    "x-delivery-limit": 5,
    "x-overflow": "reject-publish",
    "x-dead-letter-exchange": "bulkhead.dead",
    "x-dead-letter-routing-key": "bulkhead.test",
    "x-dead-letter-strategy": "at-least-once",
}


def test_names_and_arguments_are_what_the_first_release_declared() -> None:
    """Another argument is refused to every consumer; another name loses what waits."""
    assert asdict(plan(BULKHEAD, {"bulkhead.test": ["a.b.c.v1"]})) == {
        "exchanges": [
            {"name": "bulkhead.unrouted", "type": "fanout", "arguments": {}},
            {"name": "bulkhead.dead", "type": "direct", "arguments": {}},
            {"name": "bulkhead.again", "type": "direct", "arguments": {}},
            {
                "name": "bulkhead",
                "type": "topic",
                "arguments": {"alternate-exchange": "bulkhead.unrouted"},
            },
        ],
        "queues": [
            {
                "name": "bulkhead.unrouted",
                "arguments": {**KEEP, "x-max-length": 1000, "x-overflow": "drop-head"},
            },
            {"name": "bulkhead.test.dead", "arguments": KEEP},
            {"name": "bulkhead.test", "arguments": QUEUE},
        ],
        "bindings": [
            {"exchange": "bulkhead.unrouted", "queue": "bulkhead.unrouted", "key": ""},
            {"exchange": "bulkhead.dead", "queue": "bulkhead.test.dead", "key": "bulkhead.test"},
            {"exchange": "bulkhead.again", "queue": "bulkhead.test", "key": "bulkhead.test"},
            {"exchange": "bulkhead", "queue": "bulkhead.test", "key": "a.b.c.v1"},
        ],
    }


def test_every_reader_has_the_queue_of_its_name() -> None:
    assert {service: f"bulkhead.{service}" for service in READERS} == QUEUES
