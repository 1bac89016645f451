"""The token endpoint and the check of bearer tokens: secrets, certificates, audience, expiry."""

import base64
import hashlib
import hmac
import json
import uuid
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from urllib.parse import parse_qsl

from cryptography import x509

from sandbox.dataverse.assertions import AssertionWrong, check_assertion
from sandbox.dataverse.calls import Reply
from sandbox.dataverse.refusals import Refusal

ASSERTION = "urn:ietf:params:oauth:client-assertion-type:jwt-bearer"
FOREIGN_RESOURCE = "https://another-organisation.example"


@dataclass(frozen=True)
class Secret:
    """A client secret and, if it has one, its end (seconds since 1970)."""

    value: str
    expires_at: float | None = None


@dataclass(frozen=True)
class _Claims:
    aud: str
    appid: str
    exp: float


class TokenRefusal(Exception):
    """An OAuth error of the token endpoint, as Microsoft Entra words it."""

    def __init__(self, status: int, error: str, number: int, text: str) -> None:
        super().__init__(error)
        self.status = status
        self.error = error
        self.number = number
        self.text = text


class Tokens:
    """Issues and checks tokens of one directory. Applications: client id -> its secrets."""

    def __init__(self, key: bytes, directory: str, audiences: Sequence[str]) -> None:
        self.directory = directory
        self.audiences = [audience.rstrip("/") for audience in audiences]
        self.applications: dict[str, list[Secret]] = {}
        self.certificates: dict[str, list[x509.Certificate]] = {}
        self._key = key

    def answer(
        self, directory: str, content_type: str, body: bytes, lifetime_s: int, now: float
    ) -> Reply:
        try:
            if not content_type.startswith("application/x-www-form-urlencoded"):
                raise _parameter_missing("grant_type")
            form = dict(parse_qsl(body.decode("utf-8", "replace")))
            client, audience = self._checked(directory, form, now)
        except TokenRefusal as refusal:
            return _error(refusal)
        token = self._sign({"aud": audience, "appid": client, "exp": now + lifetime_s})
        answer = {"token_type": "Bearer", "expires_in": lifetime_s, "ext_expires_in": lifetime_s}
        return _json(200, {**answer, "access_token": token})

    def check(self, authorization: str, now: float) -> str:
        """The client id of a valid bearer token; otherwise a 401 Refusal."""
        scheme, _, token = authorization.partition(" ")
        claims = self._verified(token) if scheme.lower() == "bearer" else None
        if claims is None:
            raise self._not_authenticated("invalid_token")
        if claims.exp <= now:
            raise self._not_authenticated("invalid_token, the token is expired")
        if claims.aud not in self.audiences:
            raise self._not_authenticated("invalid_token, the audience is invalid")
        return claims.appid

    def _checked(self, directory: str, form: Mapping[str, str], now: float) -> tuple[str, str]:
        for name in ("grant_type", "client_id"):
            if not form.get(name):
                raise _parameter_missing(name)
        if directory != self.directory:
            raise TokenRefusal(400, "invalid_request", 90002, f"Tenant '{directory}' not found.")
        if form["grant_type"] != "client_credentials":
            raise TokenRefusal(
                400, "unsupported_grant_type", 70003, "The app requested an unsupported grant type."
            )
        self._check_client(form["client_id"], form, now)
        return form["client_id"], self._audience(form.get("scope", ""))

    def _check_client(self, client: str, form: Mapping[str, str], now: float) -> None:
        if client not in self.applications:
            text = f"Application with identifier '{client}' was not found in the directory."
            raise TokenRefusal(400, "unauthorized_client", 700016, text)
        if form.get("client_assertion_type") == ASSERTION and not form.get("client_secret"):
            self._check_assertion(client, form.get("client_assertion", ""), now)
        else:
            self._check_secret(client, form.get("client_secret", ""), now)

    def _check_assertion(self, client: str, given: str, now: float) -> None:
        goals = {f"{one}/{self.directory}/oauth2/v2.0/token" for one in self.audiences}
        try:
            check_assertion(given, client, goals, self.certificates.get(client, []), now)
        except AssertionWrong as wrong:
            raise TokenRefusal(401, "invalid_client", wrong.number, str(wrong)) from None

    def _check_secret(self, client: str, given: str, now: float) -> None:
        if not given:
            raise _parameter_missing("client_secret")
        matching = [s for s in self.applications[client] if hmac.compare_digest(s.value, given)]
        if not matching:
            text = f"Invalid client secret provided for app '{client}'."
            raise TokenRefusal(401, "invalid_client", 7000215, text)
        if all(s.expires_at is not None and s.expires_at <= now for s in matching):
            text = f"The provided client secret keys for app '{client}' are expired."
            raise TokenRefusal(401, "invalid_client", 7000222, text)

    def _audience(self, scope: str) -> str:
        resource = scope.removesuffix("/.default").rstrip("/")
        if not scope.endswith("/.default") or not resource.startswith("https://"):
            text = (
                "The provided request must include a 'scope' input parameter. The provided value "
                f"for the input parameter 'scope' is not valid. The scope {scope} is not valid."
            )
            raise TokenRefusal(400, "invalid_scope", 70011, text)
        if resource not in (*self.audiences, FOREIGN_RESOURCE):
            text = f"The resource principal named {resource} was not found in the tenant."
            raise TokenRefusal(400, "invalid_resource", 500011, text)
        return resource

    def _sign(self, claims: Mapping[str, object]) -> str:
        head = _encoded(json.dumps({"typ": "JWT", "alg": "HS256"}).encode())
        text = f"{head}.{_encoded(json.dumps(claims).encode())}"
        return f"{text}.{_encoded(self._mac(text))}"

    def _verified(self, token: str) -> _Claims | None:
        text, _, mac = token.rpartition(".")
        if not text or not hmac.compare_digest(mac, _encoded(self._mac(text))):
            return None
        payload = text.partition(".")[2]
        return _Claims(**json.loads(base64.urlsafe_b64decode(payload + "==")))

    def _mac(self, text: str) -> bytes:
        return hmac.digest(self._key, text.encode(), hashlib.sha256)

    def _not_authenticated(self, error: str) -> Refusal:
        challenge = (
            f'Bearer error="{error}", authorization_uri="/{self.directory}/oauth2/authorize"'
        )
        return Refusal(401, "", "Not authenticated.", [("WWW-Authenticate", challenge)])


def _parameter_missing(name: str) -> TokenRefusal:
    text = f"The request body must contain the following parameter: '{name}'."
    return TokenRefusal(400, "invalid_request", 900144, text)


def _error(refusal: TokenRefusal) -> Reply:
    trace, correlation = str(uuid.uuid4()), str(uuid.uuid4())
    stamp = datetime.now(UTC).strftime("%Y-%m-%d %H:%M:%SZ")
    description = (
        f"AADSTS{refusal.number}: {refusal.text} Trace ID: {trace} "
        f"Correlation ID: {correlation} Timestamp: {stamp}"
    )
    return _json(
        refusal.status,
        {
            "error": refusal.error,
            "error_description": description,
            "error_codes": [refusal.number],
            "timestamp": stamp,
            "trace_id": trace,
            "correlation_id": correlation,
            "error_uri": f"https://login.microsoftonline.com/error?code={refusal.number}",
        },
    )


def _json(status: int, value: Mapping[str, object]) -> Reply:
    headers = [("Content-Type", "application/json; charset=utf-8"), ("Cache-Control", "no-store")]
    return Reply(status, headers, json.dumps(value).encode())


def _encoded(data: bytes) -> str:
    return base64.urlsafe_b64encode(data).rstrip(b"=").decode()
