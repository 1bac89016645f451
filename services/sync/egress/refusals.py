"""Why a call did not take place or cannot be used; a reason never holds a secret or record data.

EgressError
  AddressRefused      a rule forbids the address: nothing was sent
  CallFailed          the network failed; `sent` says whether the CRM may have acted
    CertificateRefused  the other side could not prove who it is: no request was sent
      CertificateRevoked  its authority has taken the certificate back
      RevocationUnknown   whether it did cannot be known, and the call does not allow that
    ReplyRefused        an answer came that may not be read (too large, compressed)
"""


class EgressError(Exception):
    """Base of everything the guard raises; `reason` is fit for the tenant's eyes.

    Without `has_left` no byte of the request has left for certain.
    """

    has_left = False

    def __init__(self, reason: str) -> None:
        super().__init__(reason)
        self.reason = reason


class AddressRefused(EgressError):
    """The address breaks a rule of the guard; no packet was sent towards it."""


class CallFailed(EgressError):
    """The call failed; where `sent` is true the CRM may have carried it out."""

    def __init__(self, reason: str, *, sent: bool) -> None:
        super().__init__(reason)
        self.sent = self.has_left = sent


class CertificateRefused(CallFailed):
    """The TLS handshake failed or the certificate is not acceptable."""

    def __init__(self, reason: str) -> None:
        super().__init__(reason, sent=False)


class CertificateRevoked(CertificateRefused):
    """The certificate, or one of an authority above it, stands on a revocation list."""

    def __init__(self, place: str) -> None:
        super().__init__(f"{place} has been revoked")


class RevocationUnknown(CertificateRefused):
    """No revocation list can be had for the certificate, or for an authority above it."""

    def __init__(self, place: str, reason: str) -> None:
        super().__init__(f"{place}: no revocation list can be had ({reason})")


class ReplyRefused(CallFailed):
    """The answer may not be read."""

    def __init__(self, reason: str) -> None:
        super().__init__(reason, sent=True)
