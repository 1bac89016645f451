"""What a line of a log may carry beside its fixed words: references, numbers and closed sets."""

FIELDS = frozenset(
    [
        "access_level",
        "action",
        "actor",
        "address",
        "attempt",
        "backup",
        "bytes",
        "caller",
        "connection",
        "consumer",
        "count",
        "delay_s",
        "host",
        "kind",
        "lease",
        "names",
        "operation",
        "permission",
        "position",
        "problem",
        "rejected",
        "restore",
        "rows",
        "session",
        "slug",
        "strays",
        "table",
        "tenant",
        "tenants",
        "user",
    ]
)
"""Nothing personal and no secret; kit.logs names the fields of the kit itself."""
