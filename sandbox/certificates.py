"""A throw-away certificate authority: good certificates, and bad ones a client must refuse."""

import ipaddress
import ssl
import tempfile
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path

import trustme
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

DAY = timedelta(days=1)


@dataclass(frozen=True)
class Identity:
    """A certificate and its private key, both PEM."""

    certificate: bytes
    key: bytes

    def write(self, certificate: Path, key: Path) -> None:
        certificate.write_bytes(self.certificate)
        key.touch(mode=0o600)
        key.write_bytes(self.key)

    def server_context(self) -> ssl.SSLContext:
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.minimum_version = ssl.TLSVersion.TLSv1_2
        with tempfile.TemporaryDirectory() as folder:
            certificate, key = Path(folder, "certificate.pem"), Path(folder, "key.pem")
            self.write(certificate, key)
            context.load_cert_chain(certificate, key)
        return context


class Authority:
    """A certificate authority; `Authority.new()` or `Authority.load(certificate_pem, key_pem)`."""

    def __init__(self, ca: trustme.CA) -> None:
        self._ca = ca

    @classmethod
    def new(cls) -> "Authority":
        return cls(trustme.CA(organization_name="Bulkhead sandbox authority"))

    @classmethod
    def load(cls, certificate: bytes, key: bytes) -> "Authority":
        return cls(trustme.CA.from_pem(certificate, key))

    @property
    def certificate(self) -> bytes:
        """The trust anchor, PEM."""
        return self._ca.cert_pem.bytes()

    def identity(self) -> Identity:
        return Identity(self.certificate, self._ca.private_key_pem.bytes())

    def issue(self, *hosts: str) -> Identity:
        return self._issue(hosts, -DAY, 30 * DAY)

    def issue_expired(self, *hosts: str) -> Identity:
        return self._issue(hosts, -30 * DAY, -DAY)

    def _issue(self, hosts: tuple[str, ...], start: timedelta, end: timedelta) -> Identity:
        now = datetime.now(UTC)
        leaf = self._ca.issue_cert(*hosts, not_before=now + start, not_after=now + end)
        return Identity(leaf.cert_chain_pems[0].bytes(), leaf.private_key_pem.bytes())


def issue_self_signed(*hosts: str) -> Identity:
    """Right names and dates, but no authority stands behind it, which trustme cannot make."""
    key, name = ec.generate_private_key(ec.SECP256R1()), _name(hosts[0])
    now = datetime.now(UTC)
    names = x509.SubjectAlternativeName([_alternative_name(host) for host in hosts])
    made = (
        x509.CertificateBuilder(name, name, key.public_key(), x509.random_serial_number())
        .not_valid_before(now - DAY)
        .not_valid_after(now + 30 * DAY)
        .add_extension(names, critical=False)
        .sign(key, hashes.SHA256())
    )
    private = key.private_bytes(
        serialization.Encoding.PEM,
        serialization.PrivateFormat.PKCS8,
        serialization.NoEncryption(),
    )
    return Identity(made.public_bytes(serialization.Encoding.PEM), private)


def _name(text: str) -> x509.Name:
    return x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, text)])


def _alternative_name(host: str) -> x509.GeneralName:
    try:
        return x509.IPAddress(ipaddress.ip_address(host))
    except ValueError:
        return x509.DNSName(host)
