"""Keys with certificates of their own: made here, one at a time beside the event loop; the private
part is never handed out."""

import asyncio
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from datetime import datetime, timedelta

from cryptography import x509
from cryptography.hazmat.primitives.asymmetric import rsa
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat
from cryptography.x509.oid import NameOID

from contracts.ids import ConnectionId, new_id
from kit.problems import TooManyRequests
from services.sync.credential import Credential

_BITS = 3072
_EARLIER = timedelta(minutes=5)  # whoever checks it may have a clock behind ours
_WAITING_MOST = 8
_MAKER = ThreadPoolExecutor(1, "making keys")  # a key takes a core for a tenth of a second or more


@dataclass(frozen=True)
class MadeCertificate:
    """The credential, and when its certificate ends."""

    value: Credential
    expires_at: datetime


class Certificates:
    """Makes certificates; TooManyRequests where too many wait for theirs."""

    def __init__(self) -> None:
        self._waiting = 0

    async def make(self, connection: ConnectionId, now: datetime, days: int) -> MadeCertificate:
        if self._waiting >= _WAITING_MOST:
            raise TooManyRequests("too many certificates are being made")
        self._waiting += 1
        try:
            loop = asyncio.get_running_loop()
            return await loop.run_in_executor(_MAKER, _made, connection, now, days)
        finally:
            self._waiting -= 1


def _made(connection: ConnectionId, now: datetime, days: int) -> MadeCertificate:
    key = rsa.generate_private_key(public_exponent=65537, key_size=_BITS)
    end = now.replace(microsecond=0) + timedelta(days=days)
    certificate = _self_signed(key, f"Bulkhead {connection}", now - _EARLIER, end)
    secret = key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()).decode()
    public = certificate.public_bytes(Encoding.PEM).decode()
    return MadeCertificate(Credential(new_id(), "certificate", secret, public), end)


def _self_signed(
    key: rsa.RSAPrivateKey, name: str, start: datetime, end: datetime
) -> x509.Certificate:
    subject = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, name)])
    usage = x509.KeyUsage(
        digital_signature=True,
        content_commitment=False,
        key_encipherment=False,
        data_encipherment=False,
        key_agreement=False,
        key_cert_sign=False,
        crl_sign=False,
        encipher_only=False,
        decipher_only=False,
    )
    builder = x509.CertificateBuilder().subject_name(subject).issuer_name(subject)
    builder = builder.public_key(key.public_key()).serial_number(x509.random_serial_number())
    builder = builder.not_valid_before(start).not_valid_after(end)
    builder = builder.add_extension(x509.BasicConstraints(ca=False, path_length=None), True)
    return builder.add_extension(usage, critical=True).sign(key, SHA256())
