"""Bounds of calls and of what is asked about certificates; code on purpose, never a setting."""

from dataclasses import dataclass


@dataclass(frozen=True)
class CallLimits:
    """Bounds of one call in seconds and bytes; `connections` and `lookups` count per tenant.

    A connection is used again for `proof_s` seconds: then its certificate has to prove itself anew.
    """

    connect_s: float = 10.0
    read_s: float = 60.0
    write_s: float = 60.0
    total_s: float = 180.0
    body_bytes: int = 8 * 1024 * 1024
    connections: int = 8
    lookups: int = 2
    idle_s: float = 30.0
    idle_pools: int = 32
    proof_s: float = 900.0


@dataclass(frozen=True)
class ListLimits:
    """Bounds of revocation lists: one fetch in seconds and bytes, and what is kept of them.

    A list is asked for again after `renew_s`, though it may go on to its own end where that fails;
    a failure is remembered from `pause_s` on, doubling, a quarter of an hour at most. One look at a
    certificate lasts `look_s` at most, over at most `addresses` addresses.
    """

    call: CallLimits = CallLimits(
        connect_s=5.0, read_s=10.0, write_s=5.0, total_s=30.0, body_bytes=16 * 1024 * 1024
    )
    entries: int = 500_000
    fetches: int = 4
    renew_s: float = 3600.0
    pause_s: float = 30.0
    look_s: float = 60.0
    addresses: int = 4
    kept: int = 256
    kept_bytes: int = 32 * 1024 * 1024
