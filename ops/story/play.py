"""The whole story, act by act."""

from rich.console import Console

from ops.story import disaster, opening, syncing, walls
from ops.story.scene import Scene
from ops.story.teller import Teller


async def play(scene: Scene, console: Console) -> Teller:
    """Play all acts; raises what the first failing step raised."""
    tell = Teller(console)
    for act in (opening, syncing, disaster, walls):
        await act.play(scene, tell)
    tell.end()
    return tell
