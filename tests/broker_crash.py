"""kill -9 of a RabbitMQ node, as a crash of a node that has known its queues for a moment.

RabbitMQ (3.10 to 4.x) writes the name of a new quorum queue to disk up to a second after it was
declared; a crash before that leaves this queue without a leader for good (rabbitmq-server issue
15725). Queues are declared once in an installation's life, so tests wait for that second.
"""

from collections.abc import Iterable

from ops.local.rabbitmq import RabbitMq
from tests.eventually import eventually


async def crash(node: RabbitMq, queues: Iterable[str]) -> None:
    """Kill the node as soon as it has these queues' names on disk."""
    await until_on_disk(node, queues)
    node.kill()


async def until_on_disk(node: RabbitMq, queues: Iterable[str]) -> None:
    """Return when a crash would find the names of these queues."""
    names = [f"%2F_{queue}".encode() for queue in queues]
    (file,) = node.state.glob("data/*/quorum/*/names.dets")

    def are_on_disk() -> bool:
        content = file.read_bytes()
        return all(bytes([len(name)]) + name in content for name in names)

    await eventually(are_on_disk)
