"""The HTTP house of every service: one app factory, so that no service can forget a rule."""

from kit.http.app import build_app
from kit.http.conditions import IfMatch, Versions
from kit.http.health import Check
from kit.http.locations import created
from kit.http.parts import given, parts_of, put
from kit.http.serving import serve
from kit.http.sessions import Read, Write

__all__ = [
    "Check",
    "IfMatch",
    "Read",
    "Versions",
    "Write",
    "build_app",
    "created",
    "given",
    "parts_of",
    "put",
    "serve",
]
