"""One tenant from sign-up to the CRM and back from its backup, while another never notices."""

import io

from rich.console import Console

from ops.story.play import play

STEPS = 16


async def test_the_whole_story_is_proved(stage):
    text = io.StringIO()
    tell = await play(stage, Console(file=text, width=160))
    assert tell.steps == STEPS, text.getvalue()
    assert tell.proofs > STEPS
