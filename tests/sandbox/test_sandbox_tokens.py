import time

import httpx2
import pytest

from sandbox.dataverse import DataverseSimulator
from sandbox.dataverse.tokens import FOREIGN_RESOURCE, Secret
from tests.sandbox.conftest import Crm, sign_in


async def test_a_right_secret_gives_a_bearer_token(
    sim: DataverseSimulator, http: httpx2.AsyncClient
) -> None:
    answer = await sign_in(sim, http)
    assert answer.status_code == 200
    body = answer.json()
    assert (body["token_type"], body["expires_in"]) == ("Bearer", 3599)
    assert "refresh_token" not in body


@pytest.mark.parametrize(
    ("changes", "status", "error", "number"),
    [
        ({"client_secret": "wrong"}, 401, "invalid_client", 7000215),
        ({"client_secret": ""}, 400, "invalid_request", 900144),
        ({"client_id": "stranger"}, 400, "unauthorized_client", 700016),
        ({"grant_type": "password"}, 400, "unsupported_grant_type", 70003),
        ({"grant_type": ""}, 400, "invalid_request", 900144),
        ({"scope": ""}, 400, "invalid_scope", 70011),
        ({"scope": "https://localhost/user_impersonation"}, 400, "invalid_scope", 70011),
        ({"scope": "https://nowhere.example/.default"}, 400, "invalid_resource", 500011),
    ],
)
async def test_a_wrong_form_is_refused_as_entra_refuses_it(
    sim: DataverseSimulator,
    http: httpx2.AsyncClient,
    changes: dict[str, str],
    status: int,
    error: str,
    number: int,
) -> None:
    answer = await sign_in(sim, http, **changes)
    body = answer.json()
    assert (answer.status_code, body["error"], body["error_codes"]) == (status, error, [number])
    assert body["error_description"].startswith(f"AADSTS{number}: ")


async def test_a_form_that_is_not_a_form_is_refused(
    sim: DataverseSimulator, http: httpx2.AsyncClient
) -> None:
    answer = await http.post(sim.token_url, json={"grant_type": "client_credentials"})
    assert (answer.status_code, answer.json()["error"]) == (400, "invalid_request")


async def test_secrets_expire_and_rotate_while_it_runs(
    sim: DataverseSimulator, http: httpx2.AsyncClient
) -> None:
    old = sim.client_secret
    sim.simulation.set_secrets(sim.client_id, [Secret(old, time.time() - 1), Secret("new")])
    expired = await sign_in(sim, http, client_secret=old)
    assert (expired.status_code, expired.json()["error_codes"]) == (401, [7000222])
    assert (await sign_in(sim, http, client_secret="new")).status_code == 200


async def test_expired_foreign_and_forged_tokens_are_401(crm: Crm) -> None:
    crm.sim.switches.token_lifetime_s = -1
    expired = (await sign_in(crm.sim, crm.http)).json()["access_token"]
    crm.sim.switches.token_lifetime_s = 60
    foreign = (await sign_in(crm.sim, crm.http, scope=f"{FOREIGN_RESOURCE}/.default")).json()
    good = crm.headers["Authorization"].removeprefix("Bearer ")
    for token in (expired, foreign["access_token"], good[:-2] + "xx", "x", "a.b.c"):
        answer = await crm.send("GET", "WhoAmI", Authorization=f"Bearer {token}")
        assert answer.status_code == 401
        assert answer.headers["www-authenticate"].startswith("Bearer ")
    assert (await crm.send("GET", "WhoAmI")).status_code == 200
