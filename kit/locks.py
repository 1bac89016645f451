"""Numbers of PostgreSQL's advisory locks, which all who use a database share: no two uses collide.

Old and new processes run side by side during an upgrade, so the number of a lock never changes.
"""

from hashlib import blake2b


def lock(namespace: str, key: str = "") -> int:
    """A number for pg_advisory_lock and its kin, a signed bigint.

    A namespace is four letters and, without a key, one lock. With a key it has many: of two keys
    that share a number by chance one waits for the other, and nothing else happens.
    """
    if len(namespace) != 4 or not namespace.isascii():
        raise ValueError("a namespace of locks is four letters")
    if not key:
        return int.from_bytes(namespace.encode(), "big")
    digest = blake2b(key.encode(), digest_size=8, person=namespace.encode()).digest()
    return int.from_bytes(digest, "big", signed=True)
