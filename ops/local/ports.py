"""Free ports on loopback, below those that the system gives to outgoing connections."""

import secrets
import socket
from collections.abc import Callable

_DEFAULT = range(10_000, 31_000)
_TRIES = 1000


class NoFreePort(Exception):
    """Every port that was tried is taken."""


class Ports:
    """Hands out each port of `span` at most once; test processes side by side take parts of it."""

    def __init__(self, span: range = _DEFAULT) -> None:
        self._span = span
        self._given: set[int] = set()

    def free(self, fits: Callable[[int], bool] = lambda _port: True) -> int:
        """A port that nobody listens on now and that `fits`."""
        for _ in range(_TRIES):
            port = secrets.choice(self._span)
            if port not in self._given and is_free(port) and fits(port):
                self._given.add(port)
                return port
        raise NoFreePort(f"none in {self._span}")


def is_free(port: int) -> bool:
    """True if a server could listen on it now."""
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)  # ended connections linger
        try:
            probe.bind(("127.0.0.1", port))
        except OSError:
            return False
    return True
