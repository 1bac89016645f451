"""A throw-away certificate authority: good certificates, and bad ones a client must refuse."""

import ipaddress
import ssl
import tempfile
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec, rsa
from cryptography.hazmat.primitives.asymmetric.types import (
    CertificateIssuerPrivateKeyTypes,
    PublicKeyTypes,
)
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID

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

    def __init__(self, certificate: x509.Certificate, key: CertificateIssuerPrivateKeyTypes):
        self._certificate = certificate
        self._key = key

    @classmethod
    def new(cls, name: str = "Bulkhead sandbox authority") -> "Authority":
        key = ec.generate_private_key(ec.SECP256R1())
        now = datetime.now(UTC)
        builder = _builder(_name(name), key.public_key(), now - DAY, now + 365 * DAY)
        builder = builder.issuer_name(_name(name)).add_extension(_usage(signs=True), critical=True)
        builder = builder.add_extension(x509.BasicConstraints(ca=True, path_length=0), True)
        return cls(builder.sign(key, hashes.SHA256()), key)

    @classmethod
    def load(cls, certificate: bytes, key: bytes) -> "Authority":
        private = serialization.load_pem_private_key(key, password=None)
        if not isinstance(private, ec.EllipticCurvePrivateKey | rsa.RSAPrivateKey):
            raise TypeError("the key of an authority must be EC or RSA")
        return cls(x509.load_pem_x509_certificate(certificate), private)

    @property
    def certificate(self) -> bytes:
        """The trust anchor, PEM."""
        return self._certificate.public_bytes(serialization.Encoding.PEM)

    def identity(self) -> Identity:
        return Identity(self.certificate, _pem(self._key))

    def issue(self, *hosts: str) -> Identity:
        now = datetime.now(UTC)
        return self._issue(hosts, now - DAY, now + 30 * DAY)

    def issue_expired(self, *hosts: str) -> Identity:
        now = datetime.now(UTC)
        return self._issue(hosts, now - 30 * DAY, now - DAY)

    def _issue(self, hosts: tuple[str, ...], start: datetime, end: datetime) -> Identity:
        key = ec.generate_private_key(ec.SECP256R1())
        builder = _leaf(hosts, key.public_key(), start, end).issuer_name(self._certificate.subject)
        builder = builder.add_extension(self._key_identifier(), critical=False)
        return Identity(_sign(builder, self._key), _pem(key))

    def _key_identifier(self) -> x509.AuthorityKeyIdentifier:
        subject = self._certificate.extensions.get_extension_for_class(x509.SubjectKeyIdentifier)
        return x509.AuthorityKeyIdentifier.from_issuer_subject_key_identifier(subject.value)


def issue_self_signed(*hosts: str) -> Identity:
    """Right names and dates, but no authority stands behind it."""
    key = ec.generate_private_key(ec.SECP256R1())
    now = datetime.now(UTC)
    builder = _leaf(hosts, key.public_key(), now - DAY, now + 30 * DAY).issuer_name(_name(hosts[0]))
    return Identity(_sign(builder, key), _pem(key))


def _leaf(
    hosts: tuple[str, ...], key: PublicKeyTypes, start: datetime, end: datetime
) -> x509.CertificateBuilder:
    names = x509.SubjectAlternativeName([_alternative_name(host) for host in hosts])
    server = x509.ExtendedKeyUsage([ExtendedKeyUsageOID.SERVER_AUTH])
    return (
        _builder(_name(hosts[0]), key, start, end)
        .add_extension(x509.BasicConstraints(ca=False, path_length=None), critical=True)
        .add_extension(_usage(signs=False), critical=True)
        .add_extension(server, critical=False)
        .add_extension(names, critical=False)
    )


def _builder(
    subject: x509.Name, key: PublicKeyTypes, start: datetime, end: datetime
) -> x509.CertificateBuilder:
    if not isinstance(key, ec.EllipticCurvePublicKey):
        raise TypeError("sandbox certificates have EC keys")
    return (
        x509.CertificateBuilder()
        .subject_name(subject)
        .public_key(key)
        .serial_number(x509.random_serial_number())
        .not_valid_before(start)
        .not_valid_after(end)
        .add_extension(x509.SubjectKeyIdentifier.from_public_key(key), critical=False)
    )


def _sign(builder: x509.CertificateBuilder, key: CertificateIssuerPrivateKeyTypes) -> bytes:
    return builder.sign(key, hashes.SHA256()).public_bytes(serialization.Encoding.PEM)


def _pem(key: CertificateIssuerPrivateKeyTypes) -> bytes:
    return key.private_bytes(
        serialization.Encoding.PEM,
        serialization.PrivateFormat.PKCS8,
        serialization.NoEncryption(),
    )


def _usage(*, signs: bool) -> x509.KeyUsage:
    return x509.KeyUsage(
        digital_signature=not signs,
        key_cert_sign=signs,
        crl_sign=signs,
        content_commitment=False,
        key_encipherment=False,
        data_encipherment=False,
        key_agreement=False,
        encipher_only=False,
        decipher_only=False,
    )


def _name(text: str) -> x509.Name:
    return x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, text)])


def _alternative_name(host: str) -> x509.GeneralName:
    try:
        return x509.IPAddress(ipaddress.ip_address(host))
    except ValueError:
        return x509.DNSName(host)
