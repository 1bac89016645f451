"""The push: read what changed, compare with what was acknowledged, send the difference."""

from services.sync.push.pusher import Pusher

__all__ = ["Pusher"]
