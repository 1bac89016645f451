"""Where a certificate says that its revocation list lies (RFC 5280, section 4.2.1.13)."""

from collections.abc import Iterator

from cryptography import x509
from cryptography.exceptions import UnsupportedAlgorithm

# What the library raises for certificates and lists that are not as they should be.
UNREADABLE = (
    ValueError,
    TypeError,
    UnsupportedAlgorithm,
    x509.DuplicateExtension,
    x509.InvalidVersion,
    x509.UnsupportedGeneralNameType,
)


def list_addresses(certificate: x509.Certificate) -> tuple[str, ...]:
    """The addresses over http and https, in the certificate's order; raises UNREADABLE.

    Points of another issuer or for some reasons only are left out: their lists tell too little.
    """
    try:
        points = certificate.extensions.get_extension_for_class(x509.CRLDistributionPoints).value
    except x509.ExtensionNotFound:
        return ()
    return tuple(dict.fromkeys(_addresses(points)))


def _addresses(points: x509.CRLDistributionPoints) -> Iterator[str]:
    for point in points:
        if point.crl_issuer or point.reasons:
            continue
        for name in point.full_name or ():
            if isinstance(name, x509.UniformResourceIdentifier) and is_web(name.value):
                yield name.value


def is_web(address: str) -> bool:
    return address.lower().startswith(("http://", "https://"))
