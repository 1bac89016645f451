"""What an authority's answer to a sign-in means: told by its status and its OAuth `error` member
(RFC 6749 section 5.2), never by its words; Microsoft's numbers are shown, and only soften."""

import re
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from kit import strict_json
from services.sync.crm.dataverse.verdicts import retry_after
from services.sync.crm.verdict import Meaning, Verdict
from services.sync.egress import Reply

_DIGITS = re.compile("[0-9]{1,9}")
_LONGEST_S = 24 * 3600
_TOKEN = re.compile(r"[A-Za-z0-9\-._~+/]{1,16384}={0,2}")
_AADSTS = re.compile(r"AADSTS(\d{4,8})")
_USUAL_WAIT_S = 30.0
# Of the credential or the application's registration, so that only a person can mend it.
_REFUSED = {
    "invalid_client": "the authority refused the application's credentials",
    "unauthorized_client": "the authority does not let this application in",
    "invalid_grant": "the authority refused the application's credentials",
    "invalid_scope": "the environment is not known to the directory",
    "invalid_resource": "the environment is not known to the directory",
    "invalid_request": "the authority cannot read the sign-in: directory or client id are wrong",
    "unsupported_grant_type": "the authority does not let applications sign in",
    "access_denied": "a rule of the directory refused the sign-in",
    "consent_required": "an administrator of the directory has to consent to the application",
    "interaction_required": "a rule of the directory asks for a person to sign in",
}
# Under any `error`, these are of a moment: a service of theirs is away, or is asked too often.
_PASSING = {90006, 90012, 90033, 90055, 50196}
_WORDS = {
    7000215: "the client secret is wrong",
    7000222: "the client secret or certificate has expired",
    700016: "the application is not known in this directory",
    90002: "the directory is not known",
    70011: "the environment is not known to the directory",
    500011: "the environment is not known to the directory",
    700027: "the certificate is not one of the application's",
    700024: "the sign-in came too early or too late: is one of the two clocks wrong?",
}


class SignInRefused(Exception):
    """No token; `verdict` says whether waiting can help."""

    def __init__(self, verdict: Verdict) -> None:
        super().__init__(verdict.reason)
        self.verdict = verdict


@dataclass(frozen=True)
class _Answer:
    """The members that count of whatever came back."""

    error: str
    number: int | None


def read(reply: Reply, now: datetime) -> tuple[str, int]:
    """Token and lifetime in seconds; raises SignInRefused."""
    document = _document(reply.body)
    if reply.status == 200:
        token, lifetime_s = document.get("access_token"), _lifetime_s(document.get("expires_in"))
        if isinstance(token, str) and _TOKEN.fullmatch(token) and lifetime_s > 0:
            return token, lifetime_s
    raise SignInRefused(_refusal(reply, _answer(document), now))


def _refusal(reply: Reply, answer: _Answer, now: datetime) -> Verdict:
    wait_s = retry_after(reply.headers, now)
    if reply.status == 429 or wait_s is not None:
        reason = "the authority asks us to wait"
        return Verdict(Meaning.WAIT, reason, _USUAL_WAIT_S if wait_s is None else wait_s)
    if reply.status == 200:
        return Verdict(Meaning.BACK_OFF, "the authority's answer holds no token")
    is_final = 400 <= reply.status < 500 and reply.status != 408 and answer.error in _REFUSED
    if is_final and answer.number not in _PASSING:
        words = _WORDS.get(answer.number or 0, _REFUSED[answer.error])
        return Verdict(Meaning.BROKEN, f"{words} ({_shown(answer)})")
    shown = f", {_shown(answer)}" if answer.number else ""
    return Verdict(Meaning.BACK_OFF, f"the authority answered with status {reply.status}{shown}")


def _shown(answer: _Answer) -> str:
    return f"AADSTS{answer.number}" if answer.number else answer.error


def _answer(document: dict[str, Any]) -> _Answer:
    error, codes = document.get("error"), document.get("error_codes")
    number = codes[0] if isinstance(codes, list) and codes else None
    if isinstance(number, bool) or not isinstance(number, int) or not 0 < number < 10**8:
        text = document.get("error_description")
        found = _AADSTS.search(text[:200]) if isinstance(text, str) else None
        number = int(found[1]) if found else None
    return _Answer(error if isinstance(error, str) else "", number)


def _document(body: bytes) -> dict[str, Any]:
    try:
        document = strict_json.loads(body)
    except ValueError:
        return {}
    return document if isinstance(document, dict) else {}


def _lifetime_s(value: object) -> int:
    """Whole seconds, a day at most: a number, or digits as older authorities write; else 0."""
    if isinstance(value, str):
        value = int(value) if _DIGITS.fullmatch(value) else 0
    if isinstance(value, bool) or not isinstance(value, int | float):
        return 0
    return int(min(value, _LONGEST_S))
