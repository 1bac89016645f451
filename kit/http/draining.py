"""Whether the program is about to end: said first, so that the next request goes to who stays."""

import asyncio


class Draining(asyncio.Event):
    """Set from the moment at which the program was asked to end."""
