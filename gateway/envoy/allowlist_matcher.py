"""Address lists in Envoy's binary form: five thousand tenants in a tenth of a second, and whoever
stands in no list is refused.

Only length-delimited fields and one small integer are needed, so no protobuf package is. The field
numbers below are those of Envoy's and xDS's .proto files, named MESSAGE_FIELD.
"""

import hashlib
from collections.abc import Iterable, Mapping
from functools import lru_cache
from ipaddress import ip_network

_DISCOVERY_RESPONSE_VERSION_INFO, _DISCOVERY_RESPONSE_RESOURCES = 1, 2
_ANY_TYPE_URL, _ANY_VALUE = 1, 2
_EXTENSION_NAME, _EXTENSION_TYPED_CONFIG = 1, 2
_RBAC_MATCHER = 4
_ACTION_NAME, _ACTION_ACTION = 1, 2
_MATCHER_LIST, _MATCHER_TREE, _MATCHER_ON_NO_MATCH = 1, 2, 3
_ON_MATCH_MATCHER, _ON_MATCH_ACTION = 1, 2
_MATCHER_LIST_MATCHERS = 1
_FIELD_MATCHER_PREDICATE, _FIELD_MATCHER_ON_MATCH = 1, 2
_PREDICATE_SINGLE = 1
_SINGLE_PREDICATE_INPUT, _SINGLE_PREDICATE_CUSTOM_MATCH = 1, 3
_MATCHER_TREE_INPUT, _MATCHER_TREE_EXACT_MATCH_MAP = 1, 2
_MATCH_MAP_MAP = 1
_MAP_ENTRY_KEY, _MAP_ENTRY_VALUE = 1, 2
_HEADER_INPUT_HEADER_NAME = 1
_IP_CIDR_RANGES, _IP_STAT_PREFIX = 1, 2
_CIDR_RANGE_ADDRESS_PREFIX, _CIDR_RANGE_PREFIX_LEN = 1, 2
_UINT32_VALUE = 1
_ALLOW, _DENY = 0, 1
"""Of the enum RBAC.Action."""

_TYPES = "type.googleapis.com/"
_RBAC = "envoy.extensions.filters.http.rbac.v3.RBAC"
_ACTION = "envoy.config.rbac.v3.Action"
_EXTENSION = "envoy.config.core.v3.TypedExtensionConfig"
_HEADER_INPUT = "envoy.type.matcher.v3.HttpRequestHeaderMatchInput"
_SOURCE_INPUT = "envoy.extensions.matching.common_inputs.network.v3.SourceIPInput"
_IP = "envoy.extensions.matching.input_matchers.ip.v3.Ip"
_VERSION_LENGTH = 16


def version(response: bytes) -> str:
    """The version that a response carries in its first field; Envoy acknowledges under it."""
    return response[2 : 2 + _VERSION_LENGTH].decode()


def global_list(name: str, ranges: Iterable[str]) -> bytes:
    """A discovery response: allow these ranges, refuse everybody else."""
    return _response(name, _matcher_of(ranges) + _otherwise_denied())


def tenant_lists(name: str, lists: Mapping[str, Iterable[str]], everywhere: Iterable[str]) -> bytes:
    """A discovery response: by the header x-gw-tenant, the ranges of each list.

    Names in `everywhere` are allowed from any address (the global list has already decided).
    """
    entries = [_entry_of(key, tuple(ranges)) for key, ranges in lists.items()]
    entries += [_entry(key, _verdict("allow", _ALLOW)) for key in everywhere]
    header = _extension("tenant", _HEADER_INPUT, _field(_HEADER_INPUT_HEADER_NAME, "x-gw-tenant"))
    tree = _field(_MATCHER_TREE_INPUT, header)
    tree += _field(_MATCHER_TREE_EXACT_MATCH_MAP, b"".join(entries))
    return _response(name, _field(_MATCHER_TREE, tree) + _otherwise_denied())


def _response(name: str, matcher: bytes) -> bytes:
    filter_config = _extension(name, _RBAC, _field(_RBAC_MATCHER, matcher))
    resource = _field(_DISCOVERY_RESPONSE_RESOURCES, _any(_EXTENSION, filter_config))
    digest = hashlib.sha256(resource).hexdigest()[:_VERSION_LENGTH]
    return _field(_DISCOVERY_RESPONSE_VERSION_INFO, digest) + resource


@lru_cache(maxsize=20_000)
def _entry_of(key: str, ranges: tuple[str, ...]) -> bytes:
    """Kept, because one change leaves all other tenants' lists as they are."""
    return _entry(key, _field(_ON_MATCH_MATCHER, _matcher_of(ranges)))


def _entry(key: str, on_match: bytes) -> bytes:
    entry = _field(_MAP_ENTRY_KEY, key) + _field(_MAP_ENTRY_VALUE, on_match)
    return _field(_MATCH_MAP_MAP, entry)


def _matcher_of(ranges: Iterable[str]) -> bytes:
    """A Matcher that allows a source address inside one of `ranges`."""
    inside = _field(_SINGLE_PREDICATE_INPUT, _extension("source", _SOURCE_INPUT, b""))
    inside += _field(_SINGLE_PREDICATE_CUSTOM_MATCH, _extension("inside", _IP, _ip(ranges)))
    matcher = _field(_FIELD_MATCHER_PREDICATE, _field(_PREDICATE_SINGLE, inside))
    matcher += _field(_FIELD_MATCHER_ON_MATCH, _verdict("allow", _ALLOW))
    return _field(_MATCHER_LIST, _field(_MATCHER_LIST_MATCHERS, matcher))


def _ip(ranges: Iterable[str]) -> bytes:
    cidrs = b"".join(_field(_IP_CIDR_RANGES, _cidr(text)) for text in ranges)
    return cidrs + _field(_IP_STAT_PREFIX, "list")


def _cidr(text: str) -> bytes:
    network = ip_network(text)
    length = _number(_UINT32_VALUE, network.prefixlen)
    address = _field(_CIDR_RANGE_ADDRESS_PREFIX, str(network.network_address))
    return address + _field(_CIDR_RANGE_PREFIX_LEN, length)


def _otherwise_denied() -> bytes:
    return _field(_MATCHER_ON_NO_MATCH, _verdict("deny", _DENY))


def _verdict(name: str, action: int) -> bytes:
    """An OnMatch with an action of RBAC."""
    message = _field(_ACTION_NAME, name) + _number(_ACTION_ACTION, action)
    return _field(_ON_MATCH_ACTION, _extension(name, _ACTION, message))


def _extension(name: str, kind: str, message: bytes) -> bytes:
    return _field(_EXTENSION_NAME, name) + _field(_EXTENSION_TYPED_CONFIG, _any(kind, message))


def _any(kind: str, message: bytes) -> bytes:
    return _field(_ANY_TYPE_URL, _TYPES + kind) + _field(_ANY_VALUE, message)


def _field(number: int, content: bytes | str) -> bytes:
    data = content.encode() if isinstance(content, str) else content
    return _varint(number << 3 | 2) + _varint(len(data)) + data


def _number(number: int, value: int) -> bytes:
    return _varint(number << 3) + _varint(value) if value else b""


def _varint(value: int) -> bytes:
    out = bytearray()
    while value > 127:
        out.append(value & 127 | 128)
        value >>= 7
    out.append(value)
    return bytes(out)
