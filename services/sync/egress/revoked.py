"""Whether a certificate that TLS has accepted was revoked since: asked before the first byte.

The leaf and every authority below the anchor are looked up. Whoever is on a list is refused,
whatever the kind of CRM says of certificates for which no list can be had.
"""

import asyncio
from collections import OrderedDict
from collections.abc import Sequence
from itertools import pairwise

from cryptography import x509

from kit import clock
from services.sync.egress.asking import ASKING
from services.sync.egress.limits import ListLimits
from services.sync.egress.list_shelf import ListShelf, ListUnavailable
from services.sync.egress.refusals import AddressRefused, CertificateRevoked, RevocationUnknown
from services.sync.egress.urls import list_target
from services.sync.revocation import UNREADABLE, Finding, ListQuestion, list_addresses

_HOSTS = 1024  # whose findings are remembered
_LATE = "its servers took too long"


class Judge:
    """`unlisted` are injected names whose authority publishes no lists; in production none."""

    def __init__(self, shelf: ListShelf, unlisted: frozenset[str], limits: ListLimits) -> None:
        self._shelf, self._unlisted, self._limits = shelf, unlisted, limits
        self._found: OrderedDict[str, Sequence[Finding]] = OrderedDict()

    def findings(self, host: str) -> Sequence[Finding] | None:
        """Of the newest certificate of this host that was accepted; None where none was lately."""
        return self._found.get(host)

    async def judge(self, host: str, chain: Sequence[bytes]) -> None:
        """Raises CertificateRevoked, or RevocationUnknown where the call does not allow that."""
        pairs = list(pairwise(chain))
        found = await asyncio.gather(*(self._look(*pair, at) for at, pair in enumerate(pairs)))
        missing = next((finding for finding in found if finding.missing), None)
        is_allowed = ASKING.get().call.unlisted == "accept" or host in self._unlisted
        if missing is not None and not is_allowed:
            raise RevocationUnknown(missing.place, missing.missing)
        self._found[host] = found
        self._found.move_to_end(host)
        while len(self._found) > _HOSTS:
            self._found.popitem(last=False)

    async def _look(self, certificate: bytes, issuer: bytes, at: int) -> Finding:
        place = f"authority {at}" if at else "certificate"
        try:
            async with asyncio.timeout(self._limits.look_s):
                return await self._find(x509.load_der_x509_certificate(certificate), issuer, place)
        except TimeoutError:
            return Finding(place, missing=_LATE)
        except UNREADABLE:
            return Finding(place, missing="it is not well-formed")

    async def _find(self, certificate: x509.Certificate, issuer: bytes, place: str) -> Finding:
        addresses = list_addresses(certificate)
        is_authority = place != "certificate"
        most = self._limits.entries
        question = ListQuestion(issuer, addresses, is_authority, clock.now(), most)
        reason = "it names none"
        for url in addresses[: self._limits.addresses]:
            try:
                host = list_target(url).host
                found = await self._shelf.get(url, question, ASKING.get())
            except AddressRefused as refused:
                reason = f"the address of the list is refused: {refused.reason}"
            except ListUnavailable as unavailable:
                reason = f"{host}: {unavailable}"
            else:
                if found.names(certificate.serial_number):
                    raise CertificateRevoked(place)
                return Finding(place, host, found.issued_at)
        return Finding(place, missing=reason)
