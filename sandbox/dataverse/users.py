"""Who acts: the application user behind a token."""

import uuid


def user_id(client_id: str) -> str:
    """The application user of a client; the same after every restart."""
    return str(uuid.uuid5(uuid.NAMESPACE_URL, f"systemuser/{client_id}"))
