"""The story, act by act: all of it, or without the CRM where there is none."""

from ops.story import disaster, opening, syncing, walls
from ops.story.scene import Scene
from ops.story.teller import Teller


async def play(scene: Scene) -> Teller:
    """Play the acts; raises what the first failing step raised."""
    tell = Teller()
    await opening.play(scene, tell)
    if scene.simulator is not None:
        await syncing.play(scene, tell)
    await disaster.play(scene, tell)
    await walls.play(scene, tell)
    tell.end()
    return tell
