"""Statements on what is still to be forgotten of a connection's rows, part by part."""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Self
from uuid import UUID

from sqlalchemy import ColumnElement, Text, cast, delete, literal, null, select, update
from sqlalchemy.dialects.postgresql import ARRAY, JSONB

from contracts.ids import ConnectionId, TenantId
from kit.db import ReadSession, WriteSession
from services.sync.store import left_rows
from services.sync.store.arrays import among
from services.sync.tables import connection, outgoing

_FIRST = UUID(int=0)
_NOTHING: dict[str, Any] = {
    "crm_key": None,
    "crm_id": None,
    "is_inactive": False,
    "sent": literal({}, JSONB),
    "doubted_at": None,
}


@dataclass(frozen=True)
class ToForget:
    """Records of `gone` modules are not known any more; those of `moved` ones own no row of the
    CRM; of the others nothing was sent into these `columns`. `everything` is all records."""

    gone: Sequence[str] = ()
    moved: Sequence[str] = ()
    columns: Mapping[str, Sequence[str]] = field(default_factory=dict)
    everything: bool = False

    @classmethod
    def stored(cls, given: Mapping[str, Any] | None) -> Self:
        return cls(**(given or {}))

    def __bool__(self) -> bool:
        return self.everything or bool(self.gone or self.moved or self.columns)

    @property
    def names(self) -> int:
        """How many modules and columns it names."""
        of_columns = sum(1 + len(one) for one in self.columns.values())
        return len(self.gone) + len(self.moved) + of_columns

    def joined(self, other: Self) -> "ToForget":
        """Both: forgetting more than one has to, or once more, only costs time."""
        modules = sorted({*self.columns, *other.columns})
        return ToForget(
            gone=sorted({*self.gone, *other.gone}),
            moved=sorted({*self.moved, *other.moved}),
            columns={
                one: sorted({*self.columns.get(one, ()), *other.columns.get(one, ())})
                for one in modules
            },
            everything=self.everything or other.everything,
        )

    def in_json(self) -> dict[str, Any]:
        return {
            "gone": list(self.gone),
            "moved": list(self.moved),
            "columns": {name: list(columns) for name, columns in self.columns.items()},
            "everything": self.everything,
        }


async def put(session: WriteSession, id_: ConnectionId, what: ToForget) -> None:
    """All of this, from the first record on; no push begins before it is done, one that runs is
    overtaken, and everything is read again."""
    changes = {
        "to_forget": what.in_json(),
        "forgotten_to": null(),
        "forgets": connection.c.forgets + 1,
        "generation": connection.c.generation + 1,
        "position": null(),
    }
    await session.run(update(connection).where(connection.c.id == id_).values(changes))


async def waiting(session: ReadSession, most: int) -> list[tuple[TenantId, ConnectionId]]:
    """Connections of which something is still to be forgotten."""
    query = select(connection.c.tenant, connection.c.id).where(connection.c.to_forget.is_not(None))
    rows = await session.all(query.order_by(connection.c.id).limit(most))
    return [(TenantId(row["tenant"]), ConnectionId(row["id"])) for row in rows]


async def forget_some(session: WriteSession, id_: ConnectionId, most: int) -> bool:
    """The next part of a connection's records, by id; whether all is done by now."""
    query = select(connection.c.to_forget, connection.c.forgotten_to)
    row = await session.first(query.where(connection.c.id == id_).with_for_update())
    if row is None or row["to_forget"] is None:
        return True
    what, after = ToForget.stored(row["to_forget"]), row["forgotten_to"] or _FIRST
    part = await _part(session, id_, after, most)
    await _forget(session, id_, what, part)
    modules = None if what.everything else [*what.gone, *what.moved]
    left = await left_rows.forget_some(session, id_, modules, most)
    is_last = len(part) < most and left < most
    done = {"to_forget": null(), "forgotten_to": null()}
    changes = done if is_last else {"forgotten_to": max([after, *part])}
    await session.run(update(connection).where(connection.c.id == id_).values(changes))
    return is_last


async def _part(session: ReadSession, id_: ConnectionId, after: UUID, most: int) -> dict[UUID, str]:
    """The records after this one, with their modules."""
    following = (outgoing.c.connection == id_, outgoing.c.record > after)
    query = select(outgoing.c.record, outgoing.c.module).where(*following)
    rows = await session.all(query.order_by(outgoing.c.record).limit(most))
    return {row["record"]: row["module"] for row in rows}


async def _forget(
    session: WriteSession, id_: ConnectionId, what: ToForget, part: Mapping[UUID, str]
) -> None:
    """By the records alone: with the module in it a statement may be run over all of the module."""

    def of(modules: Collection[str]) -> list[ColumnElement[bool]]:
        wanted = [record for record, module in part.items() if module in modules]
        return [outgoing.c.connection == id_, among(outgoing.c.record, wanted)]

    if what.everything:
        await session.run(delete(outgoing).where(*of(set(part.values()))))
        return
    if what.gone:
        await session.run(delete(outgoing).where(*of(what.gone)))
    if what.moved:
        await session.run(update(outgoing).where(*of(what.moved)).values(_NOTHING))
    for module, columns in what.columns.items():
        left = outgoing.c.sent.op("-")(cast(list(columns), ARRAY(Text)))
        await session.run(update(outgoing).where(*of([module])).values(sent=left))
