"""What RabbitMQ has to hold: exchanges and queues, and a user for each program who may do what that
program does and nothing else.

It is one definitions file, which RabbitMQ reads at every start (`load_definitions`): what is
missing is made, what is there is left alone, and no program needs the right to make anything.
"""

import base64
import hashlib
import json
import os
import secrets
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.parse import quote

from contracts.broker import BULKHEAD, QUEUES
from contracts.events import topics_of
from kit.messaging.topology import plan
from ops.programs import PROGRAMS

ADMINISTRATOR, OPERATOR = "administrator", "operator"
NAMES = (ADMINISTRATOR, OPERATOR, *PROGRAMS)
"""Whoever has a user at the broker."""
_NOTHING = "^$"
# As policies, so that they hold for queues which are there already. Letters beyond the bound fall
# out, the oldest first: sweeps find what they told of. A queue that is full takes no more, and what
# is not taken waits in the outboxes.
_BOUNDS: dict[str, dict[str, Any]] = {
    r"^bulkhead\.[a-z_]+\.dead$": {"max-length": 10_000, "overflow": "drop-head"},
    r"^bulkhead\.[a-z_]+$": {"max-length-bytes": 256 << 20},
}


@dataclass(frozen=True)
class Rights:
    """Regular expressions over names of exchanges and queues, as RabbitMQ has them."""

    configure: str = _NOTHING
    write: str = _NOTHING
    read: str = _NOTHING


def user_of(name: str) -> str:
    """The broker's user of a program; the administrator's is the one that was there first."""
    return "bulkhead" if name == ADMINISTRATOR else f"bulkhead_{name}"


def rights_of(name: str) -> Rights:
    """The relay publishes, a service reads its own queue, the operator looks after dead letters."""
    match name:
        case "administrator":
            return Rights(".*", ".*", ".*")
        case "operator":
            return Rights(
                write=_exactly(BULKHEAD.again), read=r"^bulkhead\.([a-z_]+\.dead|unrouted)$"
            )
        case "relay":
            return Rights(write=_exactly(BULKHEAD.exchange))
        case service:
            return Rights(read=_exactly(BULKHEAD.queue_of(service)))


def topics() -> dict[str, tuple[str, ...]]:
    """Queue -> the topics that it is bound to, of every service that reads events."""
    return {queue: topics_of(service) for service, queue in QUEUES.items()}


def definitions(passwords: Mapping[str, str]) -> str:
    """The definitions file, with salted hashes of `passwords` (one for each of NAMES)."""
    wanted, place = plan(BULKHEAD, topics()), {"vhost": "/"}
    fixed: dict[str, Any] = {**place, "durable": True, "auto_delete": False}
    content = {
        "vhosts": [{"name": "/"}],
        "users": [_user(name, passwords[name]) for name in NAMES],
        "permissions": [
            {"user": user_of(name), **place, **vars(rights_of(name))} for name in NAMES
        ],
        "policies": [
            {
                **place,
                "name": f"bound {number}",
                "pattern": pattern,
                "apply-to": "queues",
                "priority": 0,
                "definition": definition,
            }
            for number, (pattern, definition) in enumerate(_BOUNDS.items())
        ],
        "exchanges": [
            {**fixed, "name": e.name, "type": e.type, "internal": False, "arguments": e.arguments}
            for e in wanted.exchanges
        ],
        "queues": [{**fixed, "name": q.name, "arguments": q.arguments} for q in wanted.queues],
        "bindings": [
            {
                **place,
                "source": b.exchange,
                "destination": b.queue,
                "destination_type": "queue",
                "routing_key": b.key,
                "arguments": {},
            }
            for b in wanted.bindings
        ],
    }
    return json.dumps(content, indent=1) + "\n"


def url_of(name: str, password: str, host: str, port: int = 5672) -> str:
    """Where a program connects, with its user's password."""
    return f"amqp://{user_of(name)}:{quote(password, safe='')}@{host}:{port}/"


def given_urls(environment: Mapping[str, str] = os.environ) -> dict[str, str] | None:
    """Addresses of a broker that is not ours: program -> URL, or None where none are given.

    AMQP_URL_<PROGRAM>_FILE names a file for one program; AMQP_URL serves all that have none.
    """
    files = {name: environment.get(f"AMQP_URL_{name.upper()}_FILE") for name in PROGRAMS}
    shared = environment.get("AMQP_URL")
    if not shared and not any(files.values()):
        return None
    if missing := [name for name, file in files.items() if not file and not shared]:
        raise ValueError(f"no address of the broker for {', '.join(missing)}: set AMQP_URL")
    return {
        name: Path(file).read_text().strip() if file else str(shared)
        for name, file in files.items()
    }


def _user(name: str, password: str) -> dict[str, Any]:
    """With the hash that RabbitMQ keeps: salt, then SHA-256 over salt and password."""
    salt = secrets.token_bytes(4)
    digest = hashlib.sha256(salt + password.encode()).digest()
    return {
        "name": user_of(name),
        "password_hash": base64.b64encode(salt + digest).decode(),
        "hashing_algorithm": "rabbit_password_hashing_sha256",
        "tags": "administrator" if name == ADMINISTRATOR else "",
    }


def _exactly(name: str) -> str:
    return "^" + name.replace(".", r"\.") + "$"
