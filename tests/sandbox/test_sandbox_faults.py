import httpx2
import pytest

from sandbox.dataverse.faults import Fault, Faults
from tests.sandbox.conftest import Crm, error


async def test_the_next_requests_fail_with_a_chosen_status(crm: Crm) -> None:
    crm.sim.add_fault(kind="status", status=503, times=2, retry_after_s=1)
    answers = [await crm.send("POST", "accounts", {"name": "n"}) for _ in range(3)]
    assert [answer.status_code for answer in answers] == [503, 503, 204]
    assert answers[0].headers["content-type"] == "text/html"
    assert answers[0].headers["retry-after"] == "1"
    assert len(crm.sim.rows("accounts")) == 1


async def test_a_fault_can_speak_json(crm: Crm) -> None:
    crm.sim.add_fault(
        kind="status", status=403, body="json", code="0x80040220", message="no privilege"
    )
    assert error(await crm.send("GET", "WhoAmI")) == (403, "0x80040220", "no privilege")


@pytest.mark.parametrize("kind", ["lost_reply", "half_reply"])
async def test_a_lost_reply_has_done_its_work(crm: Crm, kind: str) -> None:
    crm.sim.add_fault(kind=kind)
    with pytest.raises(httpx2.RemoteProtocolError):
        await crm.send("PATCH", "accounts(bulkhead_symbol='A')", {"name": "n"})
    assert [row["name"] for row in crm.sim.rows("accounts")] == ["n"]
    assert crm.sim.requests("accounts")[0].status is None
    assert (await crm.send("GET", "WhoAmI")).is_success


async def test_a_slow_reply_meets_the_time_limit_of_its_client(crm: Crm) -> None:
    crm.sim.add_fault(kind="slow", seconds=5)
    crm.http.timeout = httpx2.Timeout(0.1)
    with pytest.raises(httpx2.ReadTimeout):
        await crm.send("GET", "WhoAmI")


async def test_a_plug_in_refuses_a_chosen_row_in_its_own_words(crm: Crm) -> None:
    crm.sim.add_fault(
        kind="refuse_row",
        table="accounts",
        column="bulkhead_symbol",
        value="BAD",
        times=None,
        message="Not this one",
    )
    for _ in range(2):
        answer = await crm.send("PATCH", "accounts(bulkhead_symbol='BAD')", {"name": "n"})
        assert error(answer) == (400, "0x80040265", "Not this one")
    assert (await crm.send("PATCH", "accounts(bulkhead_symbol='OK')", {"name": "n"})).is_success


async def test_a_second_writer_can_win_the_race_of_an_upsert(crm: Crm) -> None:
    crm.sim.add_fault(kind="race", table="accounts")
    lost = await crm.send("PATCH", "accounts(bulkhead_symbol='A')", {"name": "n"})
    assert error(lost)[0] == 412
    assert len(crm.sim.rows("accounts")) == 1
    assert (await crm.send("PATCH", "accounts(bulkhead_symbol='A')", {"name": "m"})).is_success


async def test_a_body_over_the_limit_is_413(crm: Crm) -> None:
    crm.sim.switches.max_body_bytes = 10
    assert (await crm.send("POST", "accounts", {"name": "n"})).status_code == 413


async def test_every_request_is_recorded_and_only_credentials_are_blacked_out(crm: Crm) -> None:
    body = '{"name": "Zoë \\u0041"}'.encode()
    await crm.send("POST", "accounts?tag=a%20b", raw=body, X_Own="kept")
    token, posted = crm.sim.requests()
    assert crm.sim.client_secret.encode() not in token.body
    assert b"client_secret=<redacted>" in token.body
    assert (posted.method, posted.target) == ("POST", "/api/data/v9.2/accounts?tag=a%20b")
    assert (posted.body, posted.status) == (body, 204)
    headers = dict(posted.headers)
    assert (headers["authorization"], headers["x-own"]) == ("<redacted>", "kept")


def test_a_fault_of_an_unknown_kind_is_refused() -> None:
    with pytest.raises(ValueError, match="no fault of kind"):
        Faults().add(Fault("typo"))  # type: ignore[arg-type]  # the mistake under test
