"""The tables of the directory, as the migrations make them."""

from sqlalchemy import Boolean, Column, DateTime, Integer, LargeBinary, MetaData, Table, Text, Uuid

metadata = MetaData()

tenant = Table(
    "tenant",
    metadata,
    Column("id", Uuid, primary_key=True),
    Column("name", Text, nullable=False, unique=True),
    Column("state", Text, nullable=False),
    Column("database", Text, nullable=False, unique=True),
    Column("wrapped_key", LargeBinary, nullable=False),
    Column("sealed_password", LargeBinary, nullable=False),
    Column("is_applied", Boolean, nullable=False),
    Column("created_at", DateTime(timezone=True), nullable=False),
    Column("schema_version", Integer, nullable=False),
)

lease = Table(
    "lease",
    metadata,
    Column("id", Uuid, primary_key=True),
    Column("tenant", Uuid, nullable=False),
    Column("purpose", Text, nullable=False),
    Column("role", Text, nullable=False, unique=True),
    Column("database", Text, nullable=False),
    Column("created_at", DateTime(timezone=True), nullable=False),
    Column("ends_at", DateTime(timezone=True), nullable=False),
    Column("ended_at", DateTime(timezone=True)),
)

restore_target = Table(
    "restore_target",
    metadata,
    Column("tenant", Uuid, primary_key=True),
    Column("restore", Uuid, primary_key=True),
    Column("database", Text, nullable=False, unique=True),
    Column("state", Text, nullable=False),
    Column("aside", Text, unique=True),
    Column("drop_aside_at", DateTime(timezone=True)),
    Column("created_at", DateTime(timezone=True), nullable=False),
    Column("schema_version", Integer, nullable=False),
)
