"""The whole story, act by act."""

from ops.story import disaster, opening, syncing, walls
from ops.story.scene import Scene
from ops.story.teller import Teller


async def play(scene: Scene) -> Teller:
    """Play all acts; raises what the first failing step raised."""
    tell = Teller()
    for act in (opening, syncing, disaster, walls):
        await act.play(scene, tell)
    tell.end()
    return tell
