"""What the suite's exchanges and queues are called, and the broker under these names."""

from contracts.events import READERS
from kit.messaging.amqp import AmqpBroker
from kit.messaging.letters import Letters
from kit.messaging.topology import Names

BULKHEAD = Names("bulkhead")
QUEUES = {service: BULKHEAD.queue_of(service) for service in READERS}
"""Service -> queue, of every service that reads events."""


def open_broker(url: str) -> AmqpBroker:
    """The broker behind a URL; it need not be up."""
    return AmqpBroker(url, BULKHEAD)


def open_letters(url: str) -> Letters:
    """The letters of all queues, as a user who may see them."""
    return Letters(url, BULKHEAD, list(QUEUES.values()))
