"""One simulated organisation: what the parts of the Web API share, and its switches."""

from dataclasses import dataclass, field
from typing import Literal

from sandbox.dataverse.faults import Faults
from sandbox.dataverse.rows import Rows
from sandbox.dataverse.schema import Schema


@dataclass
class Switches:
    """Behaviours that can be changed while it runs; durations in seconds."""

    dop_hint: int = 4
    page_size: int = 5000
    latency_s: float = 0.0
    token_lifetime_s: int = 3599
    max_body_bytes: int = 128 * 1024 * 1024
    max_bulk_bytes: int = 122_526_105
    max_url_bytes: int = 32 * 1024
    max_part_url_bytes: int = 64 * 1024
    read_only: Literal["ignore", "refuse"] = "ignore"
    inactive_keys: list[str] = field(default_factory=list)
    inactive_key_status: Literal["Pending", "InProgress", "Failed"] = "Pending"
    user: Literal["enabled", "disabled", "unlicensed", "without_roles", "not_a_member"] = "enabled"
    user_refused_in: Literal["request", "part"] = "request"
    missing_privileges: list[str] = field(default_factory=list)
    extra_privileges: list[str] = field(default_factory=list)
    delta_expiry_s: float = 7 * 86400
    duplicate_rules: dict[str, list[str]] = field(default_factory=dict)
    duplicate_status: Literal[412, 500] = 412
    certificate: Literal["valid", "self-signed", "expired", "wrong-host"] = "valid"


@dataclass(frozen=True)
class Organisation:
    """Tables, rows, switches and faults of one environment."""

    schema: Schema
    rows: Rows
    switches: Switches
    faults: Faults
