"""A certificate authority as public ones are: a root, an authority below it, and their lists."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID

from kit import clock
from sandbox.certificates import Identity

LISTS = "lists.example.net"
ROOT_LIST, LEAF_LIST = f"http://{LISTS}/root.crl", f"http://{LISTS}/leaves.crl"
HOUR = timedelta(hours=1)


@dataclass
class Signer:
    """An authority's certificate and key."""

    name: str
    certificate: x509.Certificate
    key: ec.EllipticCurvePrivateKey

    @property
    def pem(self) -> bytes:
        return self.certificate.public_bytes(serialization.Encoding.PEM)

    def sign_list(
        self,
        *serials: int,
        issued_at: datetime | None = None,
        lasts: timedelta | None = 24 * HOUR,
        extensions: Sequence[tuple[x509.ExtensionType, bool]] = (),
        entry_extensions: Sequence[tuple[x509.ExtensionType, bool]] = (),
        digest: hashes.SHA256 | hashes.SHA224 | None = None,
    ) -> bytes:
        """The DER of a list that names these serial numbers."""
        issued_at = issued_at or clock.now() - HOUR
        builder = x509.CertificateRevocationListBuilder(
            self.certificate.subject, issued_at, issued_at + (lasts or HOUR)
        )
        for extension, critical in extensions:
            builder = builder.add_extension(extension, critical)
        for serial in serials:
            builder = builder.add_revoked_certificate(_entry(serial, issued_at, entry_extensions))
        made = builder.sign(self.key, digest or hashes.SHA256())
        return made.public_bytes(serialization.Encoding.DER)


def _entry(
    serial: int, at: datetime, extensions: Sequence[tuple[x509.ExtensionType, bool]]
) -> x509.RevokedCertificate:
    builder = x509.RevokedCertificateBuilder(serial, at)
    for extension, critical in extensions:
        builder = builder.add_extension(extension, critical)
    return builder.build()


@dataclass
class Leaf:
    """A server's certificate with the chain that it sends."""

    identity: Identity
    serial: int


@dataclass
class PublicAuthority:
    """`root` is the anchor, `below` signs leaves and their list."""

    signs_lists: bool = True
    points: Sequence[str] = (ROOT_LIST,)
    root: Signer = field(init=False)
    below: Signer = field(init=False)

    def __post_init__(self) -> None:
        self.root = _signer("Public root", None, ())
        self.below = _signer("Public authority", self.root, self.points, lists=self.signs_lists)

    @property
    def below_serial(self) -> int:
        return self.below.certificate.serial_number

    def issue(self, host: str, points: Sequence[Any] = (LEAF_LIST,)) -> Leaf:
        """A certificate for `host` that names these lists: addresses, or points as they are."""
        key = ec.generate_private_key(ec.SECP256R1())
        usage = x509.ExtendedKeyUsage([ExtendedKeyUsageOID.SERVER_AUTH])
        names = x509.SubjectAlternativeName([x509.DNSName(host)])
        builder = _builder(host, key, self.below, points)
        made = (
            builder.add_extension(x509.BasicConstraints(ca=False, path_length=None), True)
            .add_extension(usage, False)
            .add_extension(names, False)
            .sign(self.below.key, hashes.SHA256())
        )
        chain = made.public_bytes(serialization.Encoding.PEM) + self.below.pem
        pem = key.private_bytes(
            serialization.Encoding.PEM,
            serialization.PrivateFormat.PKCS8,
            serialization.NoEncryption(),
        )
        return Leaf(Identity(chain, pem), made.serial_number)


def point(*names: x509.GeneralName, **rest: Any) -> x509.DistributionPoint:
    given: dict[str, Any] = {"relative_name": None, "reasons": None, "crl_issuer": None}
    return x509.DistributionPoint(full_name=list(names) or None, **given | rest)


def at(address: str) -> x509.GeneralName:
    return x509.UniformResourceIdentifier(address)


def _signer(name: str, above: Signer | None, points: Sequence[Any], lists: bool = True) -> Signer:
    key = ec.generate_private_key(ec.SECP256R1())
    usage = x509.KeyUsage(
        digital_signature=False,
        key_cert_sign=True,
        crl_sign=lists,
        content_commitment=False,
        key_encipherment=False,
        data_encipherment=False,
        key_agreement=False,
        encipher_only=False,
        decipher_only=False,
    )
    made = (
        _builder(name, key, above, points)
        .add_extension(x509.BasicConstraints(ca=True, path_length=None), True)
        .add_extension(usage, True)
        .sign(above.key if above else key, hashes.SHA256())
    )
    return Signer(name, made, key)


def _builder(
    name: str, key: ec.EllipticCurvePrivateKey, above: Signer | None, points: Sequence[Any]
) -> x509.CertificateBuilder:
    parent = above.key if above else key
    builder = (
        x509.CertificateBuilder()
        .subject_name(_name(name))
        .issuer_name(above.certificate.subject if above else _name(name))
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(clock.now() - HOUR)
        .not_valid_after(clock.now() + 24 * HOUR)
        .add_extension(x509.SubjectKeyIdentifier.from_public_key(key.public_key()), False)
        .add_extension(
            x509.AuthorityKeyIdentifier.from_issuer_public_key(parent.public_key()), False
        )
    )
    if not points:
        return builder
    made = [point(at(one)) if isinstance(one, str) else one for one in points]
    return builder.add_extension(x509.CRLDistributionPoints(made), False)


def _name(text: str) -> x509.Name:
    return x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, text)])
