"""The whole suite, once, as `make run` starts it; journeys share it and bring their own tenants."""

import os
from collections.abc import AsyncIterator, Iterator
from pathlib import Path
from unittest.mock import patch

import pytest

from ops.local.first_operator import first_operator
from ops.local.layout import Layout
from ops.local.suite import Suite, running
from ops.story.crm import StoryCrm
from ops.story.scene import Scene, scene
from tests.otlp_collector import Collector, collecting
from tests.ports import PORTS
from tests.recorded import environment


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """A journey is known by its folder."""
    for item in items:
        if Path(__file__).parent in item.path.parents:
            item.add_marker(pytest.mark.journey)


@pytest.fixture(scope="session")
def collector() -> Iterator[Collector]:
    """Where the suite's programs send their spans."""
    with collecting() as made, patch.dict(os.environ, environment(made)):
        yield made


@pytest.fixture(scope="session")
async def suite(scratch: Path, collector: Collector) -> AsyncIterator[Suite]:
    async with running(Layout(scratch / "suite", PORTS)) as started:
        yield started


@pytest.fixture(scope="session")
async def stage(suite: Suite) -> AsyncIterator[Scene]:
    """A scene with an operator's session and no tenants yet."""
    layout = suite.layout
    operator = await first_operator(layout, suite)
    ca = layout.certificates / "authority.pem"
    crm = StoryCrm(layout.ports["simulator"], ca, layout.root / "simulator")
    async with scene(layout.url, ca, operator, crm, layout.crm_url) as made:
        yield made
