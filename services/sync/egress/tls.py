"""TLS rules: version 1.2 or newer, a valid chain to named anchors, a name in the certificate's SAN.

No environment variable has a say: neither SSLKEYLOGFILE (only ssl.create_default_context reads it)
nor SSL_CERT_FILE (only default verify paths read it).
"""

import ssl
from collections.abc import Iterator
from functools import cached_property
from pathlib import Path
from typing import Protocol

from services.sync.egress.refusals import CertificateRefused

_SYSTEM_BUNDLES = (
    Path("/etc/ssl/certs/ca-certificates.crt"),
    Path("/etc/pki/tls/certs/ca-bundle.crt"),
    Path("/etc/ssl/cert.pem"),
)
_CIPHERS = "ECDHE+AESGCM:ECDHE+CHACHA20"
_PROOF = {
    "self-signed certificate": "certificate is self-signed",
    "self signed certificate": "certificate is self-signed",
    "self-signed certificate in certificate chain": "certificate authority is not trusted",
    "unable to get local issuer certificate": "certificate authority is not trusted",
    "unable to verify the first certificate": "certificate chain is incomplete",
    "certificate has expired": "certificate has expired",
    "certificate is not yet valid": "certificate is not valid yet",
    "certificate revoked": "certificate has been revoked",
}


class TrustAnchors(Protocol):
    def context(self, host: str) -> ssl.SSLContext:
        """The TLS rules for connections to `host`."""


class SystemTrust:
    """The certificate authorities of the operating system, for every name."""

    @cached_property
    def _context(self) -> ssl.SSLContext:
        bundle = next((path for path in _SYSTEM_BUNDLES if path.is_file()), None)
        if bundle is None:
            raise CertificateRefused("this machine has no bundle of certificate authorities")
        context = strict_context()
        context.load_verify_locations(cafile=bundle)
        return context

    def context(self, host: str) -> ssl.SSLContext:
        return self._context


def strict_context(ca_pem: str | None = None) -> ssl.SSLContext:
    """A client context without anchors other than `ca_pem`."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.minimum_version = ssl.TLSVersion.TLSv1_2
    context.set_ciphers(_CIPHERS)
    context.verify_mode = ssl.CERT_REQUIRED
    context.check_hostname = True
    context.hostname_checks_common_name = False
    context.verify_flags |= ssl.VERIFY_X509_STRICT
    context.options |= ssl.OP_NO_RENEGOTIATION | ssl.OP_NO_COMPRESSION
    if ca_pem is not None:
        context.load_verify_locations(cadata=ca_pem)
    return context


def refusal(error: BaseException) -> str | None:
    """The plain reason why TLS failed, or None where the failure was not TLS."""
    for cause in _chain(error):
        if isinstance(cause, ssl.SSLCertVerificationError):
            return _verification(cause.verify_message)
        if isinstance(cause, ssl.SSLError):
            return f"no acceptable TLS connection ({cause.reason or 'handshake failed'})"
    return None


def _verification(message: str) -> str:
    if message.startswith(("Hostname mismatch", "IP address mismatch")):
        return "certificate is for another name"
    return _PROOF.get(message, f"certificate is not valid ({message})")


def _chain(error: BaseException) -> Iterator[BaseException]:
    seen: BaseException | None = error
    while seen is not None:
        yield seen
        seen = seen.__cause__ or seen.__context__
