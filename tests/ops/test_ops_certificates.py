"""The development authority: private files, made once, good for our names and no others."""

import datetime as dt
import ssl
from collections.abc import Iterator
from pathlib import Path

import pytest
from cryptography import x509

from ops.local import certificates
from ops.local.certificates import ServerCertificate


@pytest.fixture
def made(tmp_path: Path) -> ServerCertificate:
    return certificates.ensure(tmp_path / "certificates")


def handshake(certificate: ServerCertificate, name: str) -> None:
    """A TLS handshake in memory with a strict client; raises ssl.SSLError."""
    server = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    server.load_cert_chain(certificate.certificate, certificate.key)
    client = ssl.create_default_context(cafile=str(certificate.authority))
    client.verify_flags |= ssl.VERIFY_X509_STRICT
    to_client, to_server = ssl.MemoryBIO(), ssl.MemoryBIO()
    ends = [
        client.wrap_bio(to_client, to_server, server_hostname=name),
        server.wrap_bio(to_server, to_client, server_side=True),
    ]
    waiting = set(ends)
    for _ in range(10):
        for end in ends:
            try:
                end.do_handshake()
                waiting.discard(end)
            except ssl.SSLWantReadError:
                continue
    assert not waiting


@pytest.mark.parametrize("name", ["localhost", "bulkhead.localhost", "127.0.0.1", "::1"])
def test_a_strict_client_accepts_the_certificate_for_each_name(
    made: ServerCertificate, name: str
) -> None:
    handshake(made, name)


def test_no_other_name_is_accepted(made: ServerCertificate) -> None:
    with pytest.raises(ssl.SSLCertVerificationError):
        handshake(made, "example.org")


def test_the_authority_cannot_vouch_for_a_public_name(tmp_path: Path) -> None:
    """Whoever trusts the development authority trusts it for loopback only."""
    rogue = certificates.ensure(tmp_path, "rogue", ["example.org"])
    with pytest.raises(ssl.SSLCertVerificationError, match="permitted subtree"):
        handshake(rogue, "example.org")


def test_all_files_are_private(made: ServerCertificate) -> None:
    folder = made.key.parent
    assert folder.stat().st_mode & 0o777 == 0o700
    assert {path.stat().st_mode & 0o777 for path in folder.iterdir()} == {0o600}


def contents(folder: Path) -> Iterator[tuple[str, bytes]]:
    return ((path.name, path.read_bytes()) for path in sorted(folder.iterdir()))


def test_a_second_run_changes_nothing(made: ServerCertificate) -> None:
    folder = made.key.parent
    before = list(contents(folder))
    assert certificates.ensure(folder) == made
    assert list(contents(folder)) == before


def test_other_names_or_a_near_end_make_a_new_certificate_under_the_same_authority(
    made: ServerCertificate, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder = made.key.parent
    authority, first = made.authority.read_bytes(), made.certificate.read_bytes()
    certificates.ensure(folder, names=["localhost"])
    second = made.certificate.read_bytes()
    assert second != first
    ends = x509.load_pem_x509_certificate(second).not_valid_after_utc
    monkeypatch.setattr(certificates, "_now", lambda: ends - dt.timedelta(days=29))
    certificates.ensure(folder, names=["localhost"])
    assert made.certificate.read_bytes() != second
    assert made.authority.read_bytes() == authority


def test_a_lost_authority_key_makes_a_new_authority_and_certificate(
    made: ServerCertificate,
) -> None:
    (made.key.parent / "authority.key").unlink()
    before = made.certificate.read_bytes()
    handshake(certificates.ensure(made.key.parent), "localhost")
    assert made.certificate.read_bytes() != before
