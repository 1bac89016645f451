import httpx2
import pytest

from sandbox.dataverse.faults import Fault, Faults
from tests.sandbox.conftest import Crm, error, part, sign_in


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


@pytest.mark.parametrize(
    ("body", "kind", "start"),
    [
        ("html", "text/html", "<!DOCTYPE html>"),
        ("json", "application/json", '{"error":{"code":"0x1"'),
        ("foreign", "application/json", '{"message"'),
        ("text", "text/plain", "words"),
    ],
)
@pytest.mark.parametrize("status", [200, 401, 403, 404, 500, 503])
async def test_one_part_fails_with_any_body_and_the_others_do_their_work(
    crm: Crm, body: str, kind: str, start: str, status: int
) -> None:
    crm.sim.add_fault(
        kind="part", path="'B'", body=body, status=status, code="0x1", message="words"
    )
    parts = [
        part("PATCH", f"/api/data/v9.2/accounts(bulkhead_symbol='{key}')", {"name": "n"})
        for key in "ABC"
    ]
    answer = await crm.batch(parts, Prefer="odata.continue-on-error")
    one, failed, three = answer.text.split("--batchresponse_")[1:4]
    assert "HTTP/1.1 204 " in one
    assert "HTTP/1.1 204 " in three
    assert f"HTTP/1.1 {status} " in failed
    assert f"Content-Type: {kind}" in failed
    assert failed.partition("\r\n\r\n")[2].partition("\r\n\r\n")[2].startswith(start)
    assert [row["bulkhead_symbol"] for row in crm.sim.rows("accounts")] == ["A", "C"]
    assert (await crm.batch(parts)).text.count("HTTP/1.1 204 ") == 3


async def test_an_outage_inside_of_parts_ends_after_its_time(crm: Crm) -> None:
    crm.sim.add_fault(kind="part", status=500, times=None, for_s=3600)
    text = part("PATCH", "/api/data/v9.2/accounts(bulkhead_symbol='A')", {"name": "n"})
    for _ in range(2):
        assert "HTTP/1.1 500 " in (await crm.batch([text] * 3)).text
    (fault,) = crm.sim.simulation.organisation.faults.listing()
    assert fault["times"] is None
    crm.sim.simulation.organisation.faults.clear()
    crm.sim.add_fault(kind="part", status=500, times=None, for_s=0)
    assert "HTTP/1.1 204 " in (await crm.batch([text])).text
    assert crm.sim.simulation.organisation.faults.listing() == []


@pytest.mark.parametrize(
    "form", ["9" * 311, "Fri, 31 Dec 99999 23:59:59 GMT", "-1", "1.5", "soon", "0", ""]
)
@pytest.mark.parametrize("status", [200, 413, 502])
async def test_retry_after_is_sent_in_any_form_on_any_status(
    crm: Crm, form: str, status: int
) -> None:
    crm.sim.add_fault(kind="status", status=status, retry_after=form)
    answer = await crm.send("GET", "WhoAmI")
    assert (answer.status_code, answer.headers["retry-after"]) == (status, form)


async def test_the_token_endpoint_has_errors_of_its_own(crm: Crm) -> None:
    crm.sim.add_fault(kind="status", path="/oauth2/", body="entra", status=400, code="90033")
    answer = await sign_in(crm.sim, crm.http)
    assert (answer.status_code, answer.json()["error_codes"]) == (400, [90033])
    crm.sim.add_fault(kind="status", path="/oauth2/", status=200)
    answer = await sign_in(crm.sim, crm.http)
    assert (answer.status_code, answer.headers["content-type"]) == (200, "text/html")


async def test_a_call_may_hang_until_its_client_gives_up(crm: Crm) -> None:
    crm.sim.add_fault(kind="hang")
    crm.http.timeout = httpx2.Timeout(0.1)
    with pytest.raises(httpx2.ReadTimeout):
        await crm.send("PATCH", "accounts(bulkhead_symbol='A')", {"name": "n"})
    assert crm.sim.rows("accounts") == []


async def test_a_reply_may_come_byte_by_byte(crm: Crm) -> None:
    crm.sim.add_fault(kind="drip", seconds=0)
    assert (await crm.send("GET", "WhoAmI")).json()["UserId"]
    crm.sim.add_fault(kind="drip", seconds=5)
    crm.http.timeout = httpx2.Timeout(0.1)
    with pytest.raises(httpx2.ReadTimeout):
        await crm.send("GET", "WhoAmI")


def test_a_body_of_an_unknown_kind_is_refused() -> None:
    with pytest.raises(ValueError, match="no body of kind"):
        Faults().add(Fault("status", body="xml"))  # type: ignore[arg-type]  # the mistake under test


async def test_a_call_can_be_carried_out_long_after_its_client_has_gone(crm: Crm) -> None:
    crm.sim.add_fault(kind="apply_late")
    with pytest.raises(httpx2.RemoteProtocolError):
        await crm.send("PATCH", "accounts(bulkhead_symbol='A')", {"name": "old"})
    assert crm.sim.rows("accounts") == []
    await crm.send("PATCH", "accounts(bulkhead_symbol='A')", {"name": "new"})
    assert await crm.sim.simulation.apply_late() == 1
    assert [row["name"] for row in crm.sim.rows("accounts")] == ["old"]
