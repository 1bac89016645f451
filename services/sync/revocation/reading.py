"""Reads a revocation list (RFC 5280, sections 5 and 6.3); large ones in a process of their own.

What it does not know or cannot prove makes the list useless: it is refused, never read in part.
"""

from collections.abc import Iterator
from datetime import timedelta

from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec, ed448, ed25519, rsa

from kit.workers import serve
from services.sync.revocation.lists import ListRefused, RevocationList, packed, refusal
from services.sync.revocation.points import UNREADABLE, is_web
from services.sync.revocation.questions import ListQuestion

_SKEW = timedelta(minutes=5)
_KNOWN = (x509.CRLNumber, x509.AuthorityKeyIdentifier, x509.IssuingDistributionPoint)
_DIGESTS = (hashes.SHA256, hashes.SHA384, hashes.SHA512)
_KEYS = (
    rsa.RSAPublicKey,
    ec.EllipticCurvePublicKey,
    ed25519.Ed25519PublicKey,
    ed448.Ed448PublicKey,
)


def read(question: ListQuestion, der: bytes) -> RevocationList:
    """The list, proved to be the one that the question asks for; raises ListRefused."""
    try:
        found = x509.load_der_x509_crl(der)
        _prove(found, x509.load_der_x509_certificate(question.issuer))
        issued_at, expires_at = found.last_update_utc, found.next_update_utc
        _require_scope(found, question)
    except UNREADABLE:
        raise ListRefused("it is not a well-formed list") from None
    if expires_at is None or expires_at <= question.now:
        raise ListRefused("it is out of date")
    if issued_at > question.now + _SKEW:
        raise ListRefused("it is of a time to come")
    return RevocationList(issued_at, expires_at, _serials(found, question.entries))


def _prove(found: x509.CertificateRevocationList, issuer: x509.Certificate) -> None:
    if found.issuer != issuer.subject:
        raise ListRefused("it is of another authority")
    if not _may_sign_lists(issuer):
        raise ListRefused("its authority may not sign lists")
    digest, key = found.signature_hash_algorithm, issuer.public_key()
    if digest is not None and not isinstance(digest, _DIGESTS):
        raise ListRefused("it is signed in an old way")
    if not isinstance(key, _KEYS) or not found.is_signature_valid(key):
        raise ListRefused("its signature is not its authority's")


def _may_sign_lists(issuer: x509.Certificate) -> bool:
    try:
        return issuer.extensions.get_extension_for_class(x509.KeyUsage).value.crl_sign
    except x509.ExtensionNotFound:
        return True


def _require_scope(found: x509.CertificateRevocationList, question: ListQuestion) -> None:
    for extension in found.extensions:
        if isinstance(extension.value, x509.DeltaCRLIndicator):
            raise ListRefused("it tells changes only")
        if extension.critical and not isinstance(extension.value, _KNOWN):
            raise ListRefused("it has a critical extension that is not known here")
        if isinstance(extension.value, x509.IssuingDistributionPoint):
            _require_part(extension.value, question)


def _require_part(part: x509.IssuingDistributionPoint, question: ListQuestion) -> None:
    if part.indirect_crl:
        raise ListRefused("it tells of several authorities")
    if part.only_some_reasons or part.only_contains_attribute_certs:
        raise ListRefused("it tells a part only")
    if part.only_contains_user_certs and question.of_authority:
        raise ListRefused("it tells of no authorities")
    if part.only_contains_ca_certs and not question.of_authority:
        raise ListRefused("it tells of authorities only")
    if part.relative_name or (part.full_name and not _named(part, question.addresses)):
        raise ListRefused("it is another part of the authority's list")


def _named(part: x509.IssuingDistributionPoint, addresses: tuple[str, ...]) -> bool:
    """Else whoever stands in between could hand out a part in which the number cannot be."""
    names = (one.value for one in part.full_name or () if _is_address(one))
    return not set(names).isdisjoint(addresses)


def _is_address(name: x509.GeneralName) -> bool:
    return isinstance(name, x509.UniformResourceIdentifier) and is_web(name.value)


def _serials(found: x509.CertificateRevocationList, most: int) -> bytes:
    if len(found) > most:
        raise ListRefused("it has too many entries")
    try:
        return b"".join(sorted(_each(found)))
    except UNREADABLE:
        raise ListRefused("it is not a well-formed list") from None


def _each(found: x509.CertificateRevocationList) -> Iterator[bytes]:
    for entry in found:
        if any(extension.critical for extension in entry.extensions):
            raise ListRefused("it has a critical extension that is not known here")
        yield packed(entry.serial_number)


def answer(given: bytes) -> bytes:
    """The work of the process: a question and a list in, what is kept of the list out."""
    head, _, der = given.partition(b"\n")
    try:
        return read(ListQuestion.of(head), der).to_bytes()
    except ListRefused as refused:
        return refusal(str(refused))


if __name__ == "__main__":
    serve(answer)
