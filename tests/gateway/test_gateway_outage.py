"""What goes on when a part is missing or the edge itself is stopped."""

import asyncio

from tests.eventually import eventually
from tests.gateway.edge_parts import (
    HERE,
    RECORDS,
    TENANT,
    MakeSettings,
    StartEdge,
    assert_problem,
)


async def test_a_service_that_is_down_is_a_503_problem_and_the_others_keep_answering(
    make_settings: MakeSettings, start_edge: StartEdge
) -> None:
    """That includes the control plane itself: the edge goes on without it."""
    async with start_edge(make_settings(), without=["gateway", "backup"]) as edge:
        await edge.set_lists({TENANT: [HERE]})
        answer = await edge.call(f"/t/{TENANT}/v1/backups", edge.token(TENANT))
        assert_problem(answer, 503, "/problems/dependency-down")
        assert answer.headers["retry-after"] == "1"
        assert (await edge.call(RECORDS, edge.token(TENANT))).status_code == 200


async def test_a_request_in_flight_ends_well_when_the_edge_is_stopped(
    make_settings: MakeSettings, start_edge: StartEdge
) -> None:
    async with start_edge(make_settings()) as edge:
        edge.upstreams.seen.clear()
        slow = asyncio.create_task(edge.call("/v1/egress-addresses?slow"))
        await eventually(lambda: bool(edge.upstreams.seen))
    assert (await slow).status_code == 200
