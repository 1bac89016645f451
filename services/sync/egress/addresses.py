"""Which IP addresses count as public: only global unicast that tunnels to nowhere else; pure."""

import ipaddress

_FORBIDDEN_V4 = {
    "0.0.0.0/8": "this network",
    "10.0.0.0/8": "private",
    "100.64.0.0/10": "shared (carrier-grade NAT)",
    "127.0.0.0/8": "loopback",
    "168.63.129.16/32": "a cloud's metadata service",
    "169.254.0.0/16": "link-local",
    "172.16.0.0/12": "private",
    "192.0.0.0/24": "reserved",
    "192.0.2.0/24": "documentation",
    "192.31.196.0/24": "reserved",
    "192.52.193.0/24": "reserved",
    "192.88.99.0/24": "a 6to4 relay",
    "192.168.0.0/16": "private",
    "192.175.48.0/24": "reserved",
    "198.18.0.0/15": "benchmarking",
    "198.51.100.0/24": "documentation",
    "203.0.113.0/24": "documentation",
    "224.0.0.0/4": "multicast",
    "240.0.0.0/4": "reserved",
}
# Everything outside 2000::/3 is refused as a whole: loopback, mapped, NAT64 (64:ff9b::/96),
# unique local, link-local, site-local, multicast, discard.
_FORBIDDEN_V6 = {
    "2001::/23": "reserved (Teredo, ORCHID, benchmarking)",
    "2001:db8::/32": "documentation",
    "2002::/16": "6to4",
    "2620:4f:8000::/48": "reserved",
    "3fff::/20": "documentation",
}
_V4 = [(ipaddress.IPv4Network(text), kind) for text, kind in _FORBIDDEN_V4.items()]
_V6 = [(ipaddress.IPv6Network(text), kind) for text, kind in _FORBIDDEN_V6.items()]
_GLOBAL_V6 = ipaddress.IPv6Network("2000::/3")


def forbidden(address: str) -> str | None:
    """Why this address may not be dialled, or None where it is public."""
    try:
        parsed = ipaddress.ip_address(address)
    except ValueError:
        return "not an IP address"
    if isinstance(parsed, ipaddress.IPv4Address):
        kind = next((kind for network, kind in _V4 if parsed in network), None)
    elif parsed.scope_id or parsed not in _GLOBAL_V6:
        kind = "not global unicast"
    else:
        kind = next((kind for network, kind in _V6 if parsed in network), None)
    return kind or (None if parsed.is_global else "not global")
