import asyncio

import pytest

from sandbox.dataverse import Limits
from sandbox.dataverse.limits import Throttle
from sandbox.dataverse.refusals import Refusal
from tests.sandbox.conftest import Crm, error


def refused(throttle: Throttle, now: float, server: int = 0) -> tuple[str, int]:
    with pytest.raises(Refusal) as caught:
        throttle.enter("user", server, now)
    assert caught.value.status == 429
    return caught.value.code, int(dict(caught.value.headers)["Retry-After"])


def work(throttle: Throttle, start: float, seconds: float = 0.0, server: int = 0) -> None:
    throttle.enter("user", server, start)
    throttle.leave("user", server, start, start + seconds)


def test_too_many_requests_in_the_window_are_refused_until_it_has_passed() -> None:
    throttle = Throttle(Limits(window_s=10, requests=2))
    work(throttle, 0)
    work(throttle, 1)
    assert refused(throttle, 2) == ("0x80072322", 8)
    work(throttle, 10)
    assert throttle.early == []


def test_a_client_that_hammers_waits_longer_and_is_written_down() -> None:
    throttle = Throttle(Limits(window_s=2, requests=1))
    work(throttle, 0)
    assert [refused(throttle, now)[1] for now in (0.5, 1.0, 1.5)] == [2, 4, 8]
    assert [round(early.too_early_by_s, 1) for early in throttle.early] == [1.5, 3.5]
    assert refused(throttle, 9.0)[1] == 16
    work(throttle, 26)


def test_requests_already_on_their_way_do_not_count_as_hammering() -> None:
    throttle = Throttle(Limits(window_s=2, requests=1, grace_s=0.25))
    work(throttle, 0)
    assert [refused(throttle, now)[1] for now in (0.1, 0.2, 0.3)] == [2, 2, 2]
    assert throttle.early == []


def test_execution_time_and_concurrency_have_their_own_codes() -> None:
    throttle = Throttle(Limits(window_s=10, execution_s=3, concurrent=2))
    work(throttle, 0, seconds=3)
    assert refused(throttle, 4)[0] == "0x80072321"
    other = Throttle(Limits(concurrent=1))
    other.enter("user", 0, 0)
    assert refused(other, 0) == ("0x80072326", 1)
    other.leave("user", 0, 0, 0.1)
    work(other, 0.2)


def test_each_user_and_server_is_counted_apart() -> None:
    throttle = Throttle(Limits(requests=1))
    work(throttle, 0, server=0)
    work(throttle, 0, server=1)
    throttle.enter("another", 0, 0)
    refused(throttle, 0, server=1)


async def test_over_the_limit_the_whole_request_is_429_with_the_documented_text(crm: Crm) -> None:
    crm.sim.simulation.set_limits(Limits(window_s=3, requests=2))
    for _ in range(2):
        assert (await crm.send("GET", "WhoAmI")).is_success
    answer = await crm.send("GET", "WhoAmI")
    assert error(answer) == (
        429,
        "0x80072322",
        "Number of requests exceeded the limit of 2 over time window of 3 seconds.",
    )
    assert 1 <= int(answer.headers["retry-after"]) <= 3


async def test_parallel_requests_over_the_limit_are_429_at_once(crm: Crm) -> None:
    crm.sim.simulation.set_limits(Limits(concurrent=2))
    crm.sim.switches.latency_s = 0.2
    answers = await asyncio.gather(*(crm.send("GET", "WhoAmI") for _ in range(4)))
    assert sorted(answer.status_code for answer in answers) == [200, 200, 429, 429]


async def test_the_affinity_cookie_keeps_a_client_on_one_server(crm: Crm) -> None:
    crm.sim.simulation.set_limits(Limits(requests=2, servers=2))
    pinned = "ARRAffinity=server-1"
    codes = [(await crm.send("GET", "WhoAmI", Cookie=pinned)).status_code for _ in range(3)]
    assert codes == [200, 200, 429]
    assert (await crm.send("GET", "WhoAmI", Cookie="ARRAffinity=server-0")).status_code == 200
