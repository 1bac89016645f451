"""RabbitMQ on this machine: where it is, and how it gets here."""

import shutil
from pathlib import Path
from typing import NoReturn

from ops.local import packages

DEBIAN_SCRIPT = Path("/usr/lib/rabbitmq/bin/rabbitmq-server")


class RabbitMqUnavailable(Exception):
    """The node is not installed or did not start; the text says what to do."""


def ensure_installed() -> None:
    """Install RabbitMQ where we may (root on Debian and its kin), or say what to do."""
    try:
        packages.ensure("rabbitmq-server", lambda: find_script() is not None)
    except packages.NotInstalled as reason:
        refuse_missing(str(reason))


def find_script() -> Path | None:
    """The server's start script, where RabbitMQ is installed (Debian's wrapper wants root)."""
    if DEBIAN_SCRIPT.exists():
        return DEBIAN_SCRIPT
    found = shutil.which("rabbitmq-server")
    return Path(found) if found else None


def refuse_missing(reason: str = "") -> NoReturn:
    """Name the three ways to a broker."""
    raise RabbitMqUnavailable(
        "RabbitMQ is not installed. Any of these will do: install the package rabbitmq-server, "
        f"or set AMQP_URL to a broker of yours, or use `docker compose up`. {reason}"
    )
