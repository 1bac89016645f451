"""The tables of the gateway's database, equal to what its migrations make (a test compares)."""

from sqlalchemy import BigInteger, Boolean, Column, DateTime, MetaData, Table, Text, Uuid, text
from sqlalchemy.dialects.postgresql import ARRAY

metadata = MetaData()
_NOW = text("now()")

allowlist = Table(
    "allowlist",
    metadata,
    Column("scope", Text, primary_key=True),
    Column("ranges", ARRAY(Text), nullable=False),
    Column("changed_by", Uuid),
    Column("changed_at", DateTime(timezone=True), nullable=False, server_default=_NOW),
)

suspended_tenant = Table(
    "suspended_tenant",
    metadata,
    Column("tenant", Uuid, primary_key=True),
    Column("seen_at", DateTime(timezone=True), nullable=False, server_default=_NOW),
)

edge_revision = Table(
    "edge_revision",
    metadata,
    Column("only_row", Boolean, primary_key=True, server_default=text("true")),
    Column("revision", BigInteger, nullable=False),
)
