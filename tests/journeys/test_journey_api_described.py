"""What the API document says, the API does: answers, refusals and headers of generated requests.

`make proof` asks for more: DESCRIBED_CASES for each operation, in every phase (tests/described.py).
"""

import json
import os

import pytest

from ops.story.scene import Scene
from tests.journeys.described import DOCUMENT, EVERYBODY, MEANING, SHUTTING, Described, described

CASES = os.environ.get("DESCRIBED_CASES")
PHASES = "examples,coverage,fuzzing" if CASES else "fuzzing"
AS_TEST = ("--phases", PHASES, "--max-examples", CASES or "2", "--no-shrink")


@pytest.fixture(scope="module")
async def caller(stage: Scene, tmp_path_factory: pytest.TempPathFactory) -> Described:
    return await described(stage, tmp_path_factory.mktemp("described"))


@pytest.mark.timeout(3000)
async def test_every_operation_does_what_the_document_says(caller: Described) -> None:
    ended, said = await caller.run(*AS_TEST, "--exclude-operation-id", EVERYBODY)
    assert ended == 0, said
    everything = len(names())
    assert f"{everything - 1} selected / {everything} total" in said


if CASES:  # nobody may come after it

    @pytest.mark.timeout(600)
    async def test_the_operation_that_may_shut_out_everybody_does_too(caller: Described) -> None:
        ended, said = await caller.run(*AS_TEST, "--include-operation-id", EVERYBODY)
        assert ended == 0, said


def test_what_is_said_of_an_operation_is_said_of_one_that_is_there() -> None:
    assert {EVERYBODY, *SHUTTING, *MEANING} <= names()


def names() -> set[str]:
    paths = json.loads(DOCUMENT.read_text())["paths"]
    return {one["operationId"] for entries in paths.values() for one in entries.values()}
