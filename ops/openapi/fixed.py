"""What the API document says in fixed words: parts of the API, problems, headers."""

from typing import Any

TAGS = {
    "sessions": "Who logs in, goes on and logs out; whose token it is; the keys that verify it.",
    "users": "The people of a tenant: invitations, levels, lockouts.",
    "operators": "The people who run the platform; they read no customer's data.",
    "tenants": "Customers, each with a database of its own.",
    "modules": "Kinds of records and their fields.",
    "records": "Records of a module, one by one or many at once.",
    "changes": "What has changed since a position.",
    "field choices": "Which fields may leave over a connection; without a choice none does.",
    "connections": "Links to CRMs, what became of each record, and a line for every call.",
    "backups": "Stored copies of a tenant.",
    "restores": "Going back to a backup: planned first, then executed.",
    "allowlists": "Where a tenant, or anybody, may be reached from.",
}
TAG_OF = {
    **dict.fromkeys(("login", "logout", "me", ".well-known"), "sessions"),
    **dict.fromkeys(("invitations",), "users"),
    "allowlist": "allowlists",
    "field-choices": "field choices",
    "egress-addresses": "connections",
}
INFO: dict[str, Any] = {
    "title": "Bulkhead",
    "summary": "Isolated customer databases, synchronised with their CRMs, backed up one by one.",
    "description": (
        "Tenants are reached below `/t/{tenant}/v1`, the platform below `/v1`. Every error is a"
        " problem document (RFC 9457); its `type` is a page that says what to do. Times are RFC"
        " 3339 in UTC with microseconds."
    ),
    "license": {"name": "Apache-2.0", "identifier": "Apache-2.0"},
}
PROBLEM: dict[str, Any] = {
    "type": "object",
    "description": "What went wrong, for programs (`type`) and people (`title`, `detail`).",
    "required": ["type", "title", "status"],
    "properties": {
        "type": {"type": "string", "format": "uri-reference", "description": "/problems/{slug}"},
        "title": {"type": "string"},
        "status": {"type": "integer"},
        "detail": {"type": "string", "description": "the cause in one sentence"},
        "request_id": {"type": "string", "description": "as in the header x-request-id"},
        "errors": {
            "type": "array",
            "description": "each fault with its place in the request, twenty at most",
            "items": {
                "type": "object",
                "properties": {"pointer": {"type": "string"}, "message": {"type": "string"}},
            },
        },
        "more": {"type": "boolean", "description": "there are more faults than are named"},
    },
}
PARAMETERS = {
    "tenant": "the customer's id",
    "module": "the name of a kind of record, as in the list of modules",
    "record": "a record's id",
    "connection": "a connection's id",
    "backup": "a backup's id",
    "restore": "a restore's id",
    "user": "a user's id",
    "run": "a run's id",
    "cursor": "where the page before ended; absent: from the beginning",
    "lift_wait": "also forget the wait that the CRM has asked for",
    "limit": "entries of a page",
    "slot": "which of a connection's credentials: in use, staged, or replaced",
    "state": "only what is in this state",
    "force": "replace the list even where it shuts the caller out",
}
"""What a parameter means, where its route does not say it."""
REQUEST_ID = {"$ref": "#/components/headers/RequestId"}
LOCATION = {"$ref": "#/components/headers/Location"}
ETAG = {"$ref": "#/components/headers/ETag"}
HEADERS: dict[str, Any] = {
    "RequestId": {
        "description": "The edge's name for this request; it stands in every log.",
        "schema": {"type": "string", "format": "uuid"},
    },
    "Location": {
        "description": "Where the new thing is.",
        "schema": {"type": "string", "format": "uri-reference"},
    },
    "ETag": {
        "description": "The version of what is answered; it goes into If-Match of a change.",
        "schema": {"type": "string"},
    },
    "RetryAfter": {
        "description": "How many seconds to wait, where waiting helps.",
        "schema": {"type": "integer", "minimum": 0},
    },
}
PROBLEM_RESPONSE: dict[str, Any] = {
    "description": "A problem (RFC 9457); its type says which one.",
    "headers": {
        "x-request-id": REQUEST_ID,
        "Retry-After": {"$ref": "#/components/headers/RetryAfter"},
    },
    "content": {"application/problem+json": {"schema": {"$ref": "#/components/schemas/Problem"}}},
}
_TAG = r'(W/)?"[\x21\x23-\x7e]*"'
IF_MATCH: dict[str, Any] = {
    "name": "If-Match",
    "in": "header",
    "required": True,
    "description": "The entity tag of your last read, several of them, or `*` (RFC 9110).",
    "schema": {"type": "string", "pattern": rf"^[ \t]*(\*|{_TAG}([ \t]*,[ \t]*{_TAG})*)[ \t]*$"},
}
