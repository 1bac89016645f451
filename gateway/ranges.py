"""Which address ranges a list may hold: exact networks of IPv4 and IPv6, not too many."""

import re
from collections.abc import Iterable, Sequence
from ipaddress import IPv6Network, ip_address, ip_network

MAX_RANGES = 256

# ipaddress also takes netmasks and zones, which Envoy does not: one such entry would have it
# refuse the whole file, and with it every later change.
_FORM = re.compile(r"[0-9a-fA-F:.]{2,45}(/[0-9]{1,3})?")
PATTERN = f"^{_FORM.pattern}$"
"""What every range looks like, for who describes it."""
_MAPPED = IPv6Network("::ffff:0:0/96")


class RangesRefused(Exception):
    """Carries the reason by the index of each range that cannot stand in a list."""

    def __init__(self, reasons: dict[int, str]) -> None:
        super().__init__("; ".join(f"range {place}: {why}" for place, why in reasons.items()))
        self.reasons = reasons


def checked(texts: Sequence[str]) -> tuple[str, ...]:
    """The ranges in one canonical form, sorted and without repetition; raises RangesRefused."""
    reasons: dict[int, str] = {}
    networks = set()
    for place, text in enumerate(texts):
        try:
            network = ip_network(_form(text))
        except ValueError:
            reasons[place] = _why_not(text)
            continue
        if isinstance(network, IPv6Network) and network.subnet_of(_MAPPED):
            reasons[place] = "write IPv4 ranges as IPv4"
        networks.add(network)
    if reasons:
        raise RangesRefused(reasons)
    return tuple(str(n) for n in sorted(networks, key=lambda n: (n.version, n)))


def _form(text: str) -> str:
    if not _FORM.fullmatch(text):
        raise ValueError
    return text


def _why_not(text: str) -> str:
    try:
        ip_network(_form(text), strict=False)
    except ValueError:
        return "is not an address range such as 192.0.2.0/24 or 2001:db8::/32"
    return "has address bits beyond its prefix length"


def holds(texts: Iterable[str], address: str) -> bool:
    """Whether an address lies in one of the ranges; an unreadable address lies in none."""
    try:
        caller = ip_address(address)
    except ValueError:
        return False
    return any(caller in ip_network(text) for text in texts)
