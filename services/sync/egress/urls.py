"""URL rules: https, port 443, a public DNS name and nothing else; refuses before any look-up.

The address of a revocation list may be plain http on port 80 as well; all else holds for it too.
"""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType

import idna

from services.sync.egress.refusals import AddressRefused

_MAX_URL = 8192
_SHAPE = re.compile(r"(?P<scheme>[^:/?#]*)://(?P<authority>[^/?#]*)(?P<target>.*)", re.DOTALL)
_TARGET = re.compile(r"/[A-Za-z0-9\-._~!$&'()*+,;=:@/%]*(?:\?[A-Za-z0-9\-._~!$&'()*+,;=:@/?%]*)?")
_SECURE: Mapping[str, str] = MappingProxyType({"https": "443"})
_LISTS: Mapping[str, str] = MappingProxyType({"https": "443", "http": "80"})
_PERCENT = re.compile(r"%(?![0-9A-Fa-f]{2})")
_LABEL = re.compile(r"[a-z0-9](?:[a-z0-9-]{0,61}[a-z0-9])?")
_TOP = re.compile(r"[a-z]{2,63}|xn--[a-z0-9-]{1,59}")
# Names that never mean a public host: RFC 6761, 6762, 8375, 9476, ICANN's .internal and the
# suffixes that private networks and cluster DNS use.
_INTERNAL = re.compile(
    "alt|arpa|corp|home|internal|intranet|invalid|lan|local|localdomain|localhost|onion|private|svc"
)


@dataclass(frozen=True)
class Destination:
    """A URL that passed the rules: `host` in lower-case ASCII, `path` with its query."""

    host: str
    path: str
    scheme: str = "https"


def origin(url: str) -> str:
    """The host of an address that may hold nothing but scheme, name and an empty path."""
    found = target(url)
    if found.path != "/":
        raise AddressRefused("the address must end after the host name")
    return found.host


def target(url: str) -> Destination:
    """Apply the rules to an absolute URL; raises AddressRefused."""
    return _destination(url, _SECURE, "only https is allowed")


def list_target(url: str) -> Destination:
    """Apply the rules to the address of a revocation list; raises AddressRefused."""
    return _destination(url, _LISTS, "only http and https are allowed")


def _destination(url: str, ports: Mapping[str, str], others: str) -> Destination:
    if not url or len(url) > _MAX_URL:
        raise AddressRefused("the address is empty or too long")
    if any(ord(char) <= 0x20 or ord(char) == 0x7F for char in url) or "\\" in url:
        raise AddressRefused("the address holds a space, a control character or a backslash")
    shape = _SHAPE.fullmatch(url)
    if shape is None:
        raise AddressRefused("the address is not an absolute URL")
    scheme = shape["scheme"].lower()
    if scheme not in ports:
        raise AddressRefused(others)
    host = _authority(shape["authority"], ports[scheme])
    return Destination(host, _path(shape["target"]), scheme)


def _authority(authority: str, only_port: str) -> str:
    if "@" in authority:
        raise AddressRefused("the address holds a user name")
    if "[" in authority or "]" in authority:
        raise AddressRefused("an IP address is not a name")
    name, colon, port = authority.partition(":")
    if colon and port != only_port:
        raise AddressRefused(f"only port {only_port} is allowed")
    return host_name(name)


def host_name(name: str) -> str:
    """The canonical form of a public DNS name (RFC 1123 syntax, IDNA 2008); else AddressRefused."""
    try:
        ascii_name = idna.encode(name.lower(), strict=True).decode("ascii")
    except (idna.IDNAError, UnicodeError):
        raise AddressRefused("the host is not a well-formed DNS name") from None
    labels = ascii_name.split(".")
    if len(ascii_name) > 253 or not all(_LABEL.fullmatch(label) for label in labels):
        raise AddressRefused("the host is not a well-formed DNS name")
    if len(labels) < 2 or _INTERNAL.fullmatch(labels[-1]):
        raise AddressRefused("the host is not a public DNS name")
    if not _TOP.fullmatch(labels[-1]):
        raise AddressRefused("an IP address is not a name")
    return ascii_name


def _path(text: str) -> str:
    path = text or "/"
    if "#" in path:
        raise AddressRefused("the address holds a fragment")
    if path.startswith("?"):
        path = "/" + path
    if not _TARGET.fullmatch(path) or _PERCENT.search(path):
        raise AddressRefused("the path holds characters that a URL may not hold")
    segments = path.partition("?")[0].lower().replace("%2e", ".").split("/")
    if "." in segments or ".." in segments:
        raise AddressRefused("the path holds dot segments")
    return path
