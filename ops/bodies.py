"""The bodies of requests to the public API: made here for the story, and so for the examples of the
API document."""

from collections.abc import Mapping, Sequence
from typing import Any


def login(email: str, password: str) -> dict[str, str]:
    """Of a user or an operator; the path says which."""
    return {"email": email, "password": password}


def acceptance(invitation: str, password: str) -> dict[str, str]:
    """Become who was invited, with a password of one's own."""
    return {"token": invitation, "password": password}


def refresh(token: str) -> dict[str, str]:
    """The next tokens of a session."""
    return {"refresh_token": token}


def tenant(name: str) -> dict[str, str]:
    """A new tenant."""
    return {"name": name}


def allowlist(ranges: Sequence[str]) -> dict[str, list[str]]:
    """Where to be reached from."""
    return {"ranges": list(ranges)}


def invitation(email: str, level: int) -> dict[str, Any]:
    """Of a user, by an administrator of the same tenant."""
    return {"email": email, "level": level}


def invitation_by_operator(email: str, level: int, tenant: str | None) -> dict[str, Any]:
    """Of a tenant's first user, or of an operator where there is no tenant."""
    return {"tenant": tenant, **invitation(email, level)}


def connection(
    url: str, credentials: Mapping[str, str], key: str, fields: Mapping[str, str]
) -> dict[str, Any]:
    """A connection of organisations to the CRM at `url`, which also issues its tokens."""
    mapping = {"table": "accounts", "key_attribute": key, "fields": dict(fields)}
    return {
        "name": "CRM",
        "kind": "dataverse",
        "environment_url": url,
        "authority_url": url,
        **credentials,
        "modules": {"organisation": mapping},
    }


def field_choice(fields: Sequence[str]) -> dict[str, list[str]]:
    """What may leave over a connection."""
    return {"fields": sorted(fields)}


def row(key: str, fields: Mapping[str, Any]) -> dict[str, Any]:
    """A record to create, or a line of a bulk upsert."""
    return {"key": key, "fields": dict(fields)}


def deletion(records: Sequence[str]) -> dict[str, list[str]]:
    """Records to delete by id."""
    return {"ids": list(records)}


def restore(backup: str) -> dict[str, str]:
    """The backup to go back to."""
    return {"backup": backup}
