"""Random names and passwords of tenant databases: a name tells nothing and opens nothing."""

import base64
import hashlib
import hmac
import re
import secrets

_FORM = re.compile(r"[tl]_[a-z2-7]{26}(_[a-z]+[a-z2-7]{0,13})?")


def database_name() -> str:
    """A fresh name of 128 random bits; the runtime role has the same name."""
    return f"t_{_random(16)}"


def lease_name() -> str:
    """A fresh name for the role of one lease."""
    return f"l_{_random(16)}"


def target_name(database: str) -> str:
    """A name for a database that a restore is made in."""
    return f"{database}_r{_random(8)}"


def aside_name(database: str) -> str:
    """A name for the old database after a restore has taken its place."""
    return f"{database}_x{_random(8)}"


def owner_of(database: str) -> str:
    """The NOLOGIN role that owns everything inside a tenant's database."""
    return f"{database}_owner"


def reader_of(database: str) -> str:
    """The NOLOGIN role that may read everything inside; dump leases are its members."""
    return f"{database}_reader"


def checked(name: str) -> str:
    """The name, to be written into SQL; ValueError for anything that we do not make."""
    if not _FORM.fullmatch(name):
        raise ValueError("not a name of a tenant database or role")
    return name


def password() -> str:
    """256 random bits; for machines only."""
    return secrets.token_urlsafe(32)


def verifier(secret: str) -> str:
    """The SCRAM-SHA-256 verifier (RFC 5803) of a password made by `password`.

    One iteration on purpose: iterations slow down guessing of weak passwords, and 256 random bits
    cannot be guessed. The server re-checks a given verifier against the empty password, so 4096
    of them would cost each new tenant 5 ms and each login 1.5 ms for nothing.
    """
    salt = secrets.token_bytes(16)
    salted = hashlib.pbkdf2_hmac("sha256", secret.encode("ascii"), salt, 1)
    stored = hashlib.sha256(_hmac(salted, b"Client Key")).digest()
    parts = [base64.b64encode(one).decode() for one in (salt, stored, _hmac(salted, b"Server Key"))]
    return f"SCRAM-SHA-256$1:{parts[0]}${parts[1]}:{parts[2]}"


def _hmac(key: bytes, text: bytes) -> bytes:
    return hmac.new(key, text, hashlib.sha256).digest()


def _random(size: int) -> str:
    return base64.b32encode(secrets.token_bytes(size)).decode().rstrip("=").lower()
