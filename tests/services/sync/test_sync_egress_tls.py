"""TLS and answers: what cannot prove its name gets no request, what misbehaves is not read."""

import ssl
from pathlib import Path

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

from kit import clock
from sandbox.certificates import DAY, Authority, Identity, issue_self_signed
from services.sync.egress import (
    CallLimits,
    CertificateRefused,
    Egress,
    InjectedName,
    Reply,
    ReplyRefused,
)
from services.sync.egress.refusals import CallFailed
from services.sync.egress.tls import SystemTrust, strict_context
from tests.services.sync.recording import RecordingLedger, call
from tests.services.sync.tls_server import TlsServer, serving

HOST = "crm.example.com"
OK = b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok"
AUTHORITY = Authority.new()
LIMITS = CallLimits(connect_s=1, read_s=1, total_s=5, body_bytes=1000)


async def fetch(
    server: TlsServer, *, authority: Authority = AUTHORITY, ledger: RecordingLedger | None = None
) -> Reply:
    name = InjectedName(HOST, "127.0.0.1", server.port, authority.certificate.decode())
    guard = Egress.injecting(name, limits=LIMITS)
    try:
        return await guard.send(call(f"https://{HOST}/x", HOST), ledger or RecordingLedger())
    finally:
        await guard.close()


def common_name_only() -> Identity:
    """A certificate of the trusted authority that names the host in its common name alone."""
    key = ec.generate_private_key(ec.SECP256R1())
    issuer = x509.load_pem_x509_certificate(AUTHORITY.certificate)
    signing = serialization.load_pem_private_key(AUTHORITY.identity().key, password=None)
    assert isinstance(signing, ec.EllipticCurvePrivateKey)
    known = issuer.extensions.get_extension_for_class(x509.SubjectKeyIdentifier).value
    authority = x509.AuthorityKeyIdentifier.from_issuer_subject_key_identifier(known)
    now = clock.now()
    builder = (
        x509.CertificateBuilder()
        .subject_name(x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, HOST)]))
        .issuer_name(issuer.subject)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - DAY)
        .not_valid_after(now + DAY)
        .add_extension(x509.SubjectKeyIdentifier.from_public_key(key.public_key()), False)
        .add_extension(authority, False)
    )
    signed = builder.sign(signing, hashes.SHA256())
    pem = key.private_bytes(
        serialization.Encoding.PEM,
        serialization.PrivateFormat.PKCS8,
        serialization.NoEncryption(),
    )
    return Identity(signed.public_bytes(serialization.Encoding.PEM), pem)


@pytest.mark.parametrize(
    ("identity", "reason"),
    [
        (lambda: issue_self_signed(HOST), "certificate is self-signed"),
        (lambda: AUTHORITY.issue_expired(HOST), "certificate has expired"),
        (lambda: AUTHORITY.issue("other.example.com"), "certificate is for another name"),
        (lambda: AUTHORITY.issue("127.0.0.1"), "certificate is for another name"),
        (lambda: AUTHORITY.issue("*.com"), "certificate is for another name"),
        (common_name_only, "certificate is for another name"),
        (lambda: Authority.new().issue(HOST), "certificate authority is not trusted"),
    ],
    ids=["self-signed", "expired", "other-name", "address", "wide", "common-name", "unknown-ca"],
)
async def test_a_bad_certificate_is_refused_with_the_reason_and_before_any_request(
    identity: object, reason: str
) -> None:
    made: Identity = identity()  # type: ignore[operator]  # a function of the table
    ledger = RecordingLedger()
    async with serving(OK, made.server_context()) as server:
        with pytest.raises(CertificateRefused) as refused:
            await fetch(server, ledger=ledger)
    assert refused.value.reason == reason
    assert server.requests == []
    assert ledger.ends[0]["error"] == reason


async def test_a_good_certificate_is_accepted() -> None:
    async with serving(OK, AUTHORITY.issue(HOST).server_context()) as server:
        assert (await fetch(server)).body == b"ok"


async def test_old_tls_is_refused() -> None:
    context = AUTHORITY.issue(HOST).server_context()
    context.set_ciphers("ALL:@SECLEVEL=0")
    with pytest.warns(DeprecationWarning, match="deprecated"):
        context.minimum_version = ssl.TLSVersion.TLSv1
    with pytest.warns(DeprecationWarning, match="deprecated"):
        context.maximum_version = ssl.TLSVersion.TLSv1_1
    async with serving(OK, context) as server:
        with pytest.raises(CallFailed) as refused:
            await fetch(server)
    assert not refused.value.sent
    assert server.requests == []


async def test_a_server_without_tls_gets_no_request() -> None:
    async with serving(OK, None) as server:
        with pytest.raises(CallFailed) as refused:
            await fetch(server)
    assert not refused.value.sent
    assert not any(b"HTTP" in request for request in server.requests)


async def test_the_environment_can_neither_log_keys_nor_add_authorities(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    (tmp_path / "ca.pem").write_bytes(AUTHORITY.certificate)
    monkeypatch.setenv("SSLKEYLOGFILE", str(tmp_path / "keys"))
    monkeypatch.setenv("SSL_CERT_FILE", str(tmp_path / "ca.pem"))
    monkeypatch.setenv("HTTPS_PROXY", "http://127.0.0.1:9")
    async with serving(OK, AUTHORITY.issue(HOST).server_context()) as server:
        assert (await fetch(server)).status == 200
    assert not (tmp_path / "keys").exists()
    assert strict_context().get_ca_certs() == []
    system = SystemTrust().context(HOST).get_ca_certs()
    assert not any("Bulkhead" in str(one) for one in system)


@pytest.mark.parametrize("status", [301, 302, 303, 307, 308])
async def test_a_redirect_is_an_answer_and_is_never_followed(status: int) -> None:
    answer = (
        f"HTTP/1.1 {status} Moved\r\nLocation: https://{HOST}/y\r\nContent-Length: 0\r\n\r\n"
    ).encode()
    async with serving(answer, AUTHORITY.issue(HOST).server_context()) as server:
        assert (await fetch(server)).status == status
    assert len(server.requests) == 1


@pytest.mark.parametrize(
    ("answer", "reason"),
    [
        (b"HTTP/1.1 200 OK\r\nContent-Length: 1001\r\n\r\n" + b"x" * 1001, "larger than allowed"),
        (
            b"HTTP/1.1 200 OK\r\nContent-Encoding: gzip\r\nContent-Length: 2\r\n\r\nok",
            "compressed",
        ),
        (b"HTTP/1.1 200 OK\r\nContent-Length: 900\r\n\r\nshort", "broke"),
        (b"HTTP/1.1 200 OK\r\n" + b"A: b\r\n" * 20_000 + b"\r\n", "broke"),
        (b"not http at all\r\n\r\n", "broke"),
    ],
    ids=["large", "compressed", "cut", "endless-headers", "garbage"],
)
async def test_an_answer_that_misbehaves_is_a_failure_with_an_unknown_outcome(
    answer: bytes, reason: str
) -> None:
    async with serving(answer, AUTHORITY.issue(HOST).server_context()) as server:
        with pytest.raises(CallFailed, match=reason) as failed:
            await fetch(server)
    assert failed.value.sent
    assert isinstance(failed.value, ReplyRefused) or reason == "broke"


async def test_cookies_are_dropped_and_bodies_are_asked_for_uncompressed() -> None:
    answer = b"HTTP/1.1 200 OK\r\nSet-Cookie: a=b\r\nContent-Length: 2\r\n\r\nok"
    async with serving(answer, AUTHORITY.issue(HOST).server_context()) as server:
        reply = await fetch(server)
    assert "set-cookie" not in reply.headers
    head = server.requests[0].lower()
    assert b"accept-encoding: identity" in head
    assert b"cookie" not in head
    assert head.startswith(b"get /x http/1.1\r\nhost: crm.example.com\r\n")


async def test_a_silent_server_is_given_up() -> None:
    async with serving(b"", AUTHORITY.issue(HOST).server_context()) as server:
        with pytest.raises(CallFailed):
            await fetch(server)
