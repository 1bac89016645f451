"""The tables of sync's control database, equal to what its migrations make (a test compares)."""

from sqlalchemy import (
    BigInteger,
    Boolean,
    Column,
    DateTime,
    Integer,
    LargeBinary,
    MetaData,
    Table,
    Text,
    Uuid,
    text,
)
from sqlalchemy.dialects.postgresql import ARRAY, JSONB

metadata = MetaData()
_NOW, _ZERO, _EMPTY, _FALSE = text("now()"), text("0"), text("''"), text("false")


def _moment(name: str, *, nullable: bool = False) -> Column[object]:
    default = None if nullable else _NOW
    return Column(name, DateTime(timezone=True), nullable=nullable, server_default=default)


tenant_key = Table(
    "tenant_key",
    metadata,
    Column("tenant", Uuid, primary_key=True),
    Column("version", Integer, primary_key=True, autoincrement=False),
    Column("wrapped", LargeBinary, nullable=False),
    _moment("created_at"),
)

connection = Table(
    "connection",
    metadata,
    Column("id", Uuid, primary_key=True),
    Column("tenant", Uuid, nullable=False),
    Column("name", Text, nullable=False),
    Column("kind", Text, nullable=False),
    Column("state", Text, nullable=False),
    Column("reason", Text, nullable=False, server_default=_EMPTY),
    Column("suspended", Boolean, nullable=False, server_default=_FALSE),
    Column("address", JSONB, nullable=False),
    Column("modules", JSONB, nullable=False),
    Column("position", Text),
    Column("generation", Integer, nullable=False, server_default=_ZERO),
    _moment("retry_at", nullable=True),
    Column("failures", Integer, nullable=False, server_default=_ZERO),
    Column("parallel_hint", Integer),
    Column("missing", Text, nullable=False, server_default=text("'recreate'")),
    _moment("look_at", nullable=True),
    Column("looks", Integer, nullable=False, server_default=_ZERO),
    Column("to_forget", JSONB),
    Column("forgotten_to", Uuid),
    Column("forgets", Integer, nullable=False, server_default=_ZERO),
    _moment("pushed_at", nullable=True),
    _moment("schema_changed_at", nullable=True),
    Column("schema_changes", JSONB, nullable=False, server_default=text("'[]'")),
    _moment("created_at"),
    _moment("updated_at"),
)

described = Table(
    "described",
    metadata,
    Column("connection", Uuid, primary_key=True),
    Column("module", Text, primary_key=True),
    Column("fingerprint", Text, nullable=False),
    Column("facts", JSONB, nullable=False),
    _moment("seen_at"),
)

credential = Table(
    "credential",
    metadata,
    Column("connection", Uuid, primary_key=True),
    Column("slot", Text, primary_key=True),
    Column("key_version", Integer, nullable=False),
    Column("sealed", LargeBinary, nullable=False),
    _moment("created_at"),
    Column("id", Uuid, nullable=False, server_default=text("gen_random_uuid()")),
    Column("kind", Text, nullable=False, server_default=text("'secret'")),
    Column("certificate", Text, nullable=False, server_default=_EMPTY),
    _moment("expires_at", nullable=True),
    Column("warned_days", Integer),
    _moment("accepted_at", nullable=True),
    _moment("refused_at", nullable=True),
    Column("refused_reason", Text, nullable=False, server_default=_EMPTY),
    _moment("replaced_at", nullable=True),
)

announced = Table(
    "announced",
    metadata,
    Column("connection", Uuid, primary_key=True),
    Column("subject", Text, primary_key=True),
    Column("at", DateTime(timezone=True), nullable=False),
    Column("again", Boolean, nullable=False, server_default=text("false")),
)

known_mapping = Table(
    "known_mapping",
    metadata,
    Column("connection", Uuid, primary_key=True),
    Column("told", BigInteger),
    _moment("due_at", nullable=True),
)

outgoing = Table(
    "outgoing",
    metadata,
    Column("connection", Uuid, primary_key=True),
    Column("record", Uuid, primary_key=True),
    Column("module", Text, nullable=False),
    Column("key", Text, nullable=False),
    Column("state", Text, nullable=False),
    Column("attempts", Integer, nullable=False, server_default=_ZERO),
    _moment("not_before"),
    _moment("failing_since", nullable=True),
    Column("reason", Text, nullable=False, server_default=_EMPTY),
    Column("detail", LargeBinary),
    Column("sent", JSONB, nullable=False, server_default=text("'{}'")),
    _moment("updated_at"),
    _moment("waiting_since"),
    Column("same_key", Text),
    Column("crm_key", Text),
    Column("crm_id", Text),
    Column("is_inactive", Boolean, nullable=False, server_default=_FALSE),
    Column("marked", Integer, nullable=False, server_default=_ZERO),
    Column("recreates", Boolean, nullable=False, server_default=_FALSE),
    Column("code", Text, nullable=False, server_default=_EMPTY),
    _moment("doubted_at", nullable=True),
)

left_row = Table(
    "left_row",
    metadata,
    Column("connection", Uuid, primary_key=True),
    Column("crm_id", Text, primary_key=True),
    Column("module", Text, nullable=False),
    Column("record", Uuid, nullable=False),
    Column("same_key", Text, nullable=False),
    Column("columns", ARRAY(Text), nullable=False),
    _moment("left_at"),
    _moment("look_at", nullable=True),
)

run = Table(
    "run",
    metadata,
    Column("id", Uuid, primary_key=True),
    Column("connection", Uuid, nullable=False),
    Column("why", Text, nullable=False),
    Column("state", Text, nullable=False),
    Column("reason", Text, nullable=False, server_default=_EMPTY),
    _moment("asked_at"),
    _moment("started_at", nullable=True),
    _moment("seen_at", nullable=True),
    _moment("ended_at", nullable=True),
    Column("due", Integer, nullable=False, server_default=_ZERO),
    Column("sent", Integer, nullable=False, server_default=_ZERO),
    Column("unchanged", Integer, nullable=False, server_default=_ZERO),
    Column("parked", Integer, nullable=False, server_default=_ZERO),
    Column("retried", Integer, nullable=False, server_default=_ZERO),
    Column("times", Integer, nullable=False, server_default=text("1")),
)

ledger = Table(
    "ledger",
    metadata,
    Column("id", Uuid, primary_key=True),
    _moment("at"),
    Column("tenant", Uuid, nullable=False),
    Column("connection", Uuid, nullable=False),
    Column("host", Text, nullable=False),
    Column("method", Text, nullable=False),
    Column("operation", Text, nullable=False),
    Column("table_name", Text),
    Column("fields", ARRAY(Text), nullable=False),
    Column("rows", Integer, nullable=False),
    Column("request_bytes", BigInteger, nullable=False),
    Column("response_bytes", BigInteger),
    Column("status", Integer),
    Column("duration_ms", Integer),
    Column("error", Text),
)
