"""What an authority's answer means: told by status and OAuth's error, never by its words."""

import json
from typing import Any

import pytest

from kit import clock
from services.sync.crm import Meaning
from services.sync.crm.dataverse import SignInRefused
from services.sync.crm.dataverse.sign_in import read
from services.sync.egress import Reply

TOKEN = json.dumps({"access_token": "t", "expires_in": 60}).encode()
HTML = b"<!DOCTYPE html><html><body>AADSTS7000215 invalid_client</body></html>"
WAIT = {"retry-after": "7"}


def error(name: str, number: int = 0, **more: Any) -> bytes:
    text = {"error_description": f"AADSTS{number}: words", "error_codes": [number]}
    return json.dumps({"error": name, **(text if number else {}), **more}).encode()


REFUSED = [
    (401, error("invalid_client", 7000215), "the client secret is wrong (AADSTS7000215)"),
    (
        401,
        error("invalid_client", 7000222),
        "the client secret or certificate has expired (AADSTS7000222)",
    ),
    (
        400,
        error("unauthorized_client", 700016),
        "the application is not known in this directory (AADSTS700016)",
    ),
    (400, error("invalid_request", 90002), "the directory is not known (AADSTS90002)"),
    (
        400,
        error("invalid_scope", 70011),
        "the environment is not known to the directory (AADSTS70011)",
    ),
    (
        401,
        error("invalid_client", 700027),
        "the certificate is not one of the application's (AADSTS700027)",
    ),
    (
        400,
        error("invalid_grant", 53003),
        "the authority refused the application's credentials (AADSTS53003)",
    ),
    (
        403,
        error("access_denied"),
        "a rule of the directory refused the sign-in (access_denied)",
    ),
    # an authority that is not Microsoft's has no numbers
    (
        401,
        error("invalid_client"),
        "the authority refused the application's credentials (invalid_client)",
    ),
    # numbers only in the text, and numbers that nobody knows
    (
        400,
        json.dumps({"error": "invalid_client", "error_description": "AADSTS7000215: no"}).encode(),
        "the client secret is wrong (AADSTS7000215)",
    ),
    (
        400,
        error("invalid_client", 50034),
        "the authority refused the application's credentials (AADSTS50034)",
    ),
]

PASSING = [
    (400, error("temporarily_unavailable", 90033), "status 400, AADSTS90033"),
    (400, error("invalid_request", 90033), "status 400, AADSTS90033"),
    (400, error("invalid_grant", 50196), "status 400, AADSTS50196"),
    (400, error("server_error"), "status 400"),
    (400, error("temporarily_unavailable"), "status 400"),
    (400, error("Invalid_Client!"), "status 400"),
    (400, error("failed: invalid_client"), "status 400"),
    (400, b'{"error": {"code": "invalid_client"}}', "status 400"),
    (400, b'{"error": ["invalid_client"]}', "status 400"),
    (400, b'["invalid_client"]', "status 400"),
    (400, b"AADSTS7000215: no", "status 400"),
    (400, HTML, "status 400"),
    (401, HTML, "status 401"),
    (403, HTML, "status 403"),
    (403, b"", "status 403"),
    (407, HTML, "status 407"),
    (404, HTML, "status 404"),
    (408, error("invalid_client", 7000215), "status 408, AADSTS7000215"),
    (499, b"", "status 499"),
    (500, error("invalid_client", 7000215), "status 500, AADSTS7000215"),
    (502, HTML, "status 502"),
    (503, b"", "status 503"),
    (302, HTML, "status 302"),
    (204, b"", "status 204"),
]


def refusal(status: int, body: bytes, headers: dict[str, str] | None = None) -> Any:
    with pytest.raises(SignInRefused) as refused:
        read(Reply(status, headers or {}, body), clock.now())
    return refused.value.verdict


@pytest.mark.parametrize(("status", "body", "reason"), REFUSED)
def test_a_refusal_of_the_credential_or_the_registration_needs_a_person(
    status: int, body: bytes, reason: str
) -> None:
    verdict = refusal(status, body)
    assert (verdict.meaning, verdict.reason) == (Meaning.BROKEN, reason)


@pytest.mark.parametrize(("status", "body", "reason"), PASSING)
def test_whatever_is_no_refusal_passes_and_is_tried_again(
    status: int, body: bytes, reason: str
) -> None:
    verdict = refusal(status, body)
    assert verdict.meaning is Meaning.BACK_OFF
    assert verdict.reason == f"the authority answered with {reason}"


@pytest.mark.parametrize("body", [b"{}", HTML, b'{"access_token": 1}', error("invalid_client")])
def test_an_answer_without_a_token_is_tried_again(body: bytes) -> None:
    verdict = refusal(200, body)
    assert verdict.meaning is Meaning.BACK_OFF
    assert verdict.reason == "the authority's answer holds no token"


@pytest.mark.parametrize("status", [200, 302, 400, 401, 403, 408, 413, 429, 500, 502, 503, 504])
@pytest.mark.parametrize("body", [HTML, error("invalid_client", 7000215)])
def test_retry_after_is_kept_to_on_every_status(status: int, body: bytes) -> None:
    verdict = refusal(status, body, WAIT)
    assert (verdict.meaning, verdict.wait_s) == (Meaning.WAIT, 7.0)


@pytest.mark.parametrize(
    ("text", "wait_s"), [("9" * 311, 86400.0), ("Fri, 31 Dec 9999 23:59:59 GMT", 86400.0)]
)
def test_an_absurd_wait_is_a_day(text: str, wait_s: float) -> None:
    assert refusal(503, b"", {"retry-after": text}).wait_s == wait_s


def test_too_many_requests_without_a_time_is_a_wait_too() -> None:
    verdict = refusal(429, b"")
    assert (verdict.meaning, verdict.wait_s) == (Meaning.WAIT, 30.0)


def test_a_token_is_a_token_whatever_else_is_said() -> None:
    assert read(Reply(200, WAIT, TOKEN), clock.now()) == ("t", 60)


@pytest.mark.parametrize("number", [True, -1, 0, 10**20, 1.5, None, {}])
def test_a_number_that_is_none_is_not_shown(number: Any) -> None:
    body = json.dumps({"error": "invalid_client", "error_codes": [number]}).encode()
    assert refusal(401, body).reason.endswith("credentials (invalid_client)")
