"""One tenant from sign-up to the CRM and back from its backup, while another never notices."""

from ops.story.play import play

STEPS = 16


async def test_the_whole_story_is_proved(stage):
    tell = await play(stage)
    assert tell.steps == STEPS
    assert tell.proofs > STEPS
