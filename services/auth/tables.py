"""The tables of auth's control database, equal to what its migrations make (a test compares)."""

from sqlalchemy import Column, DateTime, Integer, LargeBinary, MetaData, Table, Text, Uuid, text

metadata = MetaData()


def _moment(name: str, *, nullable: bool = False) -> Column[object]:
    return Column(name, DateTime(timezone=True), nullable=nullable)


tenant = Table(
    "tenant",
    metadata,
    Column("id", Uuid, primary_key=True),
    Column("state", Text, nullable=False),
    _moment("changed_at"),
)

users = Table(
    "users",
    metadata,
    Column("id", Uuid, primary_key=True),
    Column("tenant", Uuid),
    Column("email", Text, nullable=False),
    Column("password_hash", Text),
    Column("level", Integer, nullable=False),
    Column("level_version", Integer, nullable=False, server_default=text("1")),
    _moment("invited_at"),
    _moment("joined_at", nullable=True),
)

invitation = Table(
    "invitation",
    metadata,
    Column("user_id", Uuid, primary_key=True),
    Column("token_hash", LargeBinary, nullable=False),
    _moment("expires_at"),
)

session = Table(
    "session",
    metadata,
    Column("id", Uuid, primary_key=True),
    Column("user_id", Uuid, nullable=False),
    _moment("started_at"),
    _moment("ends_at"),
    _moment("ended_at", nullable=True),
)

refresh_token = Table(
    "refresh_token",
    metadata,
    Column("hash", LargeBinary, primary_key=True),
    Column("session", Uuid, nullable=False),
    Column("generation", Integer, nullable=False),
    _moment("expires_at"),
    _moment("used_at", nullable=True),
    Column("successor", LargeBinary),
)

login_attempt = Table(
    "login_attempt",
    metadata,
    Column("name_hash", LargeBinary, primary_key=True),
    Column("client_class", Text, primary_key=True),
    Column("faulty", Integer, nullable=False, server_default=text("0")),
    _moment("blocked_until", nullable=True),
    _moment("last_at"),
)
