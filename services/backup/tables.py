"""The tables of backup's control database, equal to what its migrations make (a test compares)."""

from sqlalchemy import (
    BigInteger,
    Column,
    DateTime,
    ForeignKey,
    Integer,
    MetaData,
    Table,
    Text,
    Uuid,
    text,
)
from sqlalchemy.dialects.postgresql import JSONB

metadata = MetaData()
_NOW, _ZERO, _EMPTY = text("now()"), text("0"), text("''")


def _at(name: str) -> Column[object]:
    return Column(name, DateTime(timezone=True))


def _now(name: str) -> Column[object]:
    return Column(name, DateTime(timezone=True), nullable=False, server_default=_NOW)


tenant = Table(
    "tenant",
    metadata,
    Column("tenant", Uuid, primary_key=True),
    _now("known_at"),
    _at("covered_until"),
    Column("failures", Integer, nullable=False, server_default=_ZERO),
    _at("retry_at"),
    Column("vault_bytes", BigInteger, nullable=False, server_default=_ZERO),
)

# PostgreSQL's "snapshot" is something else; the name in SQL is older than that insight
backup = Table(
    "snapshot",
    metadata,
    Column("snapshot", Uuid, primary_key=True, key="backup"),
    Column("tenant", Uuid, ForeignKey("tenant.tenant"), nullable=False),
    Column("cause", Text, nullable=False),
    Column("state", Text, nullable=False, server_default="queued"),
    Column("reason", Text),
    Column("attempts", Integer, nullable=False, server_default=_ZERO),
    Column("requested_by", Uuid),
    _now("requested_at"),
    _at("started_at"),
    _at("finished_at"),
    _at("taken_at"),
    Column("size_bytes", BigInteger),
    Column("row_count", BigInteger),
    Column("proved", Text),
    _at("checked_at"),
    Column("base", Uuid, ForeignKey("snapshot.backup")),
    Column("trace", Text, nullable=False, server_default=_EMPTY),
)

restore = Table(
    "restore",
    metadata,
    Column("restore", Uuid, primary_key=True),
    Column("tenant", Uuid, ForeignKey("tenant.tenant"), nullable=False),
    Column("snapshot", Uuid, ForeignKey("snapshot.backup"), nullable=False, key="backup"),
    Column("state", Text, nullable=False, server_default="planned"),
    Column("reason", Text),
    Column("plan", JSONB, nullable=False),
    Column("target", Text),
    Column("planned_by", Uuid),
    _now("planned_at"),
    Column("executed_by", Uuid),
    _at("started_at"),
    _at("finished_at"),
    Column("trace", Text, nullable=False, server_default=_EMPTY),
)

turn = Table(
    "turn",
    metadata,
    Column("tenant", Uuid, ForeignKey("tenant.tenant"), primary_key=True),
    Column("holder", Uuid, nullable=False),
    Column("expires_at", DateTime(timezone=True), nullable=False),
)
