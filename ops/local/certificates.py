"""A development certificate authority and server certificates: private files, kept between runs.

The authority's own certificate permits it names under localhost and test and loopback addresses
only, so that a browser which trusts it trusts nothing else.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from ipaddress import IPv4Network, IPv6Network, ip_address
from pathlib import Path

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.asymmetric.ec import EllipticCurvePrivateKey
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID

from kit import files

EDGE_NAMES = ("localhost", "bulkhead.localhost", "127.0.0.1", "::1")

_PERMITTED = [
    x509.DNSName("localhost"),
    x509.DNSName("test"),
    x509.IPAddress(IPv4Network("127.0.0.0/8")),
    x509.IPAddress(IPv6Network("::1/128")),
]
_AUTHORITY_DAYS, _SERVER_DAYS, _RENEW_BEFORE_DAYS = 3650, 397, 30


@dataclass(frozen=True)
class ServerCertificate:
    """Paths of a certificate (PEM), its key, and the authority that clients must trust."""

    certificate: Path
    key: Path
    authority: Path


def ensure(
    folder: Path, stem: str = "edge", names: Sequence[str] = EDGE_NAMES
) -> ServerCertificate:
    """The certificate `stem` for `names` in `folder`, made or renewed only where it is needed."""
    folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    authority, authority_key = folder / "authority.pem", folder / "authority.key"
    if not _is_usable(authority, []) or not authority_key.exists():
        _make_authority(authority, authority_key)
    paths = ServerCertificate(folder / f"{stem}.pem", folder / f"{stem}.key", authority)
    if not paths.key.exists() or not _is_usable(paths.certificate, names, issuer=authority):
        _make_server(paths, authority_key, names)
    return paths


def _is_usable(path: Path, names: Sequence[str], issuer: Path | None = None) -> bool:
    if not path.exists():
        return False
    certificate = x509.load_pem_x509_certificate(path.read_bytes())
    if certificate.not_valid_after_utc < _now() + timedelta(days=_RENEW_BEFORE_DAYS):
        return False
    if issuer is None:
        return True
    parent = x509.load_pem_x509_certificate(issuer.read_bytes())
    alternative = certificate.extensions.get_extension_for_class(x509.SubjectAlternativeName)
    return set(alternative.value) == set(_general_names(names)) and _is_child(certificate, parent)


def _is_child(certificate: x509.Certificate, parent: x509.Certificate) -> bool:
    own = certificate.extensions.get_extension_for_class(x509.AuthorityKeyIdentifier).value
    theirs = parent.extensions.get_extension_for_class(x509.SubjectKeyIdentifier).value
    return own.key_identifier == theirs.digest


def _make_authority(certificate: Path, key_file: Path) -> None:
    key = ec.generate_private_key(ec.SECP256R1())
    name = _name("Bulkhead development authority")
    built = (
        _builder(name, name, key, _AUTHORITY_DAYS)
        .add_extension(x509.BasicConstraints(ca=True, path_length=0), critical=True)
        .add_extension(_usage(signs_certificates=True), critical=True)
        .add_extension(x509.NameConstraints(_PERMITTED, None), critical=True)
        .sign(key, hashes.SHA256())
    )
    _write_key(key_file, key)
    files.replace(certificate, built.public_bytes(serialization.Encoding.PEM))


def _make_server(paths: ServerCertificate, authority_key: Path, names: Sequence[str]) -> None:
    parent = x509.load_pem_x509_certificate(paths.authority.read_bytes())
    signer = serialization.load_pem_private_key(authority_key.read_bytes(), password=None)
    assert isinstance(signer, EllipticCurvePrivateKey)
    parent_key = parent.extensions.get_extension_for_class(x509.SubjectKeyIdentifier).value
    key = ec.generate_private_key(ec.SECP256R1())
    built = (
        _builder(_name(names[0]), parent.subject, key, _SERVER_DAYS)
        .add_extension(x509.BasicConstraints(ca=False, path_length=None), critical=True)
        .add_extension(_usage(signs_certificates=False), critical=True)
        .add_extension(x509.ExtendedKeyUsage([ExtendedKeyUsageOID.SERVER_AUTH]), critical=False)
        .add_extension(x509.SubjectAlternativeName(_general_names(names)), critical=False)
        .add_extension(
            x509.AuthorityKeyIdentifier.from_issuer_subject_key_identifier(parent_key),
            critical=False,
        )
        .sign(signer, hashes.SHA256())
    )
    _write_key(paths.key, key)
    files.replace(paths.certificate, built.public_bytes(serialization.Encoding.PEM))


def _builder(
    subject: x509.Name, issuer: x509.Name, key: EllipticCurvePrivateKey, days: int
) -> x509.CertificateBuilder:
    return (
        x509.CertificateBuilder()
        .subject_name(subject)
        .issuer_name(issuer)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(_now() - timedelta(minutes=5))
        .not_valid_after(_now() + timedelta(days=days))
        .add_extension(x509.SubjectKeyIdentifier.from_public_key(key.public_key()), critical=False)
    )


def _usage(*, signs_certificates: bool) -> x509.KeyUsage:
    return x509.KeyUsage(
        digital_signature=not signs_certificates,
        key_cert_sign=signs_certificates,
        crl_sign=signs_certificates,
        content_commitment=False,
        key_encipherment=False,
        data_encipherment=False,
        key_agreement=False,
        encipher_only=False,
        decipher_only=False,
    )


def _name(common: str) -> x509.Name:
    return x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, common)])


def _general_names(names: Sequence[str]) -> list[x509.GeneralName]:
    return [_general_name(name) for name in names]


def _general_name(name: str) -> x509.GeneralName:
    try:
        return x509.IPAddress(ip_address(name))
    except ValueError:
        return x509.DNSName(name)


def _write_key(path: Path, key: EllipticCurvePrivateKey) -> None:
    pem = key.private_bytes(
        serialization.Encoding.PEM,
        serialization.PrivateFormat.PKCS8,
        serialization.NoEncryption(),
    )
    files.replace(path, pem)


def _now() -> datetime:
    return datetime.now(UTC)
