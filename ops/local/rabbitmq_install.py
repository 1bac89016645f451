"""RabbitMQ on this machine: where it is and how it gets here, without starting one of its own."""

import contextlib
import os
import shutil
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import NoReturn

DEBIAN_SCRIPT = Path("/usr/lib/rabbitmq/bin/rabbitmq-server")
START_POLICY = Path("/usr/sbin/policy-rc.d")


class RabbitMqUnavailable(Exception):
    """The node is not installed or did not start; the text says what to do."""


def ensure_installed() -> None:
    """Install RabbitMQ where we may (root on Debian and its kin), or say what to do."""
    if find_script() is not None:
        return
    if os.geteuid() != 0 or shutil.which("apt-get") is None:
        refuse_missing()
    with _services_stay_off():
        _apt_get("update")
        _apt_get("install", "-y", "--no-install-recommends", "rabbitmq-server")


def find_script() -> Path | None:
    """The server's start script, where RabbitMQ is installed (Debian's wrapper wants root)."""
    if DEBIAN_SCRIPT.exists():
        return DEBIAN_SCRIPT
    found = shutil.which("rabbitmq-server")
    return Path(found) if found else None


def refuse_missing() -> NoReturn:
    """Name the three ways to a broker."""
    raise RabbitMqUnavailable(
        "RabbitMQ is not installed. Any of these will do: install the package rabbitmq-server, "
        "or set AMQP_URL to a broker of yours, or use `docker compose up`."
    )


def _apt_get(*arguments: str) -> None:
    environment = os.environ | {"DEBIAN_FRONTEND": "noninteractive", "RUNLEVEL": "1"}
    done = subprocess.run(
        ["apt-get", "-q", *arguments], env=environment, capture_output=True, text=True, check=False
    )
    if done.returncode != 0:
        raise RabbitMqUnavailable(f"apt-get {arguments[0]} failed:\n{done.stderr[-2000:]}")


@contextlib.contextmanager
def _services_stay_off() -> Iterator[None]:
    """Keep the package from starting a server of its own; the machine's own policy stays."""
    if START_POLICY.exists():
        yield
        return
    START_POLICY.write_text("#!/bin/sh\nexit 101\n")
    START_POLICY.chmod(0o755)
    try:
        yield
    finally:
        START_POLICY.unlink()
