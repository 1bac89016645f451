"""The chain that TLS has verified, leaf first and anchor last, out of a connection that is proved.

OpenSSL builds it while it verifies; what the other side merely sent is never looked at. Python
makes it public from 3.13 on; before that it stands one level deeper, where pip's own `truststore`
takes it from as well. Where neither is there, nothing goes out.
"""

from collections.abc import Sequence
from typing import Any

import httpcore2

from services.sync.egress.refusals import CertificateRefused

_DER = 2  # _ssl.ENCODING_DER
_LONGEST = 8


def verified_chain(proved: httpcore2.AsyncNetworkStream) -> Sequence[bytes]:
    """Certificates as DER; raises CertificateRefused where the chain cannot be seen."""
    tls: Any = proved.get_extra_info("ssl_object")
    look = getattr(tls, "get_verified_chain", None)
    if look is None:
        look = getattr(getattr(tls, "_sslobj", None), "get_verified_chain", None)
    found = look() if look is not None else None
    if not found:
        raise CertificateRefused("the chain of its certificate cannot be seen")
    if len(found) > _LONGEST:
        raise CertificateRefused("the chain of its certificate is too long")
    return [one if isinstance(one, bytes) else one.public_bytes(_DER) for one in found]
