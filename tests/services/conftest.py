"""For the tests of every service."""

from tests.heard import every_event_is_heard

__all__ = ["every_event_is_heard"]
