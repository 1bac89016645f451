"""A stand-in for the tenants service: the list, changes and records, over records in memory.

It applies the field choice and the mapping at the source, as the real one does; tests/services/
tenants/test_tenants_client*.py hold both to the same.
"""

from bisect import bisect_right
from collections import Counter
from collections.abc import Awaitable, Callable, Iterable
from typing import Any, Literal
from uuid import UUID

import httpx2
from fastapi import FastAPI

from contracts.clients import (
    ChangedRecord,
    ChangePage,
    MappedModules,
    PresentRecord,
    PresentRecords,
    RecordCounts,
    RecordsAsked,
    TenantEntries,
    TenantEntry,
    TenantsClient,
)
from contracts.ids import ConnectionId, TenantId, new_id
from kit.http import errors
from kit.problems import NotFound, Problem
from kit.sealing import SigningKey


class PeerTenants:
    """`put` and `delete` change records; `chain` stands for the database they are in."""

    def __init__(self, tenant: TenantId) -> None:
        self.tenant, self.state, self.chain = tenant, "active", "a"
        self.others: set[UUID] = set()  # tenants with the same records
        self.records: dict[UUID, dict[str, Any]] = {}
        self.gone: dict[UUID, dict[str, Any]] = {}
        self.journal: list[UUID] = []
        self.choice: dict[str, list[str]] = {}
        self.choices: dict[UUID, dict[str, list[str]]] = {}  # of a connection, instead of `choice`
        self.meanwhile: Callable[[], Awaitable[None]] | None = None  # once, while a page is read
        self.once_told: Callable[[], Awaitable[None]] | None = None  # once, before it has effect
        self.once_read: Callable[[], Awaitable[None]] | None = None  # once, with values read
        self.down = False
        self.problem: Problem | None = None  # what it answers to whatever is asked of a tenant
        self.looks = 0  # how often the list of tenants was asked for
        self.positions: list[str] = []  # that pages were asked for after
        self.refused = 0
        self.asked_for: set[UUID] = set()
        self.mapped: dict[UUID, dict[str, list[str]]] = {}  # what connections map, as told
        self.told: list[tuple[str, UUID]] = []  # each time that it was
        self.deaf = False  # to that alone
        self._in_order, self._in_order_at = list[UUID](), (0, 0, 0)
        self._mapping: dict[UUID, int] = {}  # how often a mapping was replaced by another one
        self._seen_at: dict[tuple[UUID, str], object] = {}  # what decided on a view, by position

    def fill(self, count: int) -> None:
        """`count` records, each with fields that are chosen and fields that are not."""
        for number in range(count):
            key, name = f"K{number}", f"Name {number}"
            self.put(key, name=name, sector="Energy", founded="FOUNDED", cik="SECRET")

    def put(
        self, key: str, *, module: str = "organisation", id_: UUID | None = None, **fields: Any
    ) -> UUID:
        record = id_ or self._known(key) or new_id()
        old = self.records.get(record, {"fields": {}, "version": 0})
        self.records[record] = {
            "id": record,
            "module": module,
            "key": key,
            "version": old["version"] + 1,
            "fields": {**old["fields"], **fields},
        }
        self.journal.append(record)
        return record

    def _known(self, key: str) -> UUID | None:
        return next((r["id"] for r in self.records.values() if r["key"] == key), None)

    def delete(self, record: UUID) -> None:
        self.gone[record] = self.records.pop(record)
        self.journal.append(record)

    def client(self) -> TenantsClient:
        transport = httpx2.ASGITransport(self.app(), raise_app_exceptions=False)
        return TenantsClient(
            "http://tenants", key=SigningKey.generate(), service="sync", transport=transport
        )

    def app(self) -> FastAPI:
        app = FastAPI()
        errors.install(app)
        base = "/internal/tenants"
        app.get(base)(self._tenants)
        app.put(base + "/{tenant}/connections/{connection}", status_code=204)(self._register)
        app.delete(base + "/{tenant}/connections/{connection}", status_code=204)(self._unregister)
        app.get(base + "/{tenant}/connections/{connection}/counts")(self._counts)
        app.get(base + "/{tenant}/connections/{connection}/changes")(self._changes)
        app.post(base + "/{tenant}/connections/{connection}/records")(self._records)
        return app

    async def _tenants(self) -> TenantEntries:
        self.looks += 1
        entries = [{"id": other, "state": "active"} for other in self.others]
        own = {"id": self.tenant, "state": self.state}
        return TenantEntries(tenants=[TenantEntry.model_validate(one) for one in (own, *entries)])

    async def _changes(
        self, tenant: TenantId, connection: ConnectionId, after: str = "", limit: int = 500
    ) -> ChangePage:
        self._check(tenant)
        self.positions.append(after)
        await self._let("meanwhile")
        page = self._page(connection, after, limit)
        self._seen_at[connection, page.position] = self._deciding(connection)
        return page

    async def _register(
        self, tenant: TenantId, connection: ConnectionId, body: MappedModules
    ) -> None:
        self._hear("PUT", tenant, connection)
        await self._let("once_told")
        known = self.mapped.get(connection)
        if known not in (None, body.modules):
            self._mapping[connection] = self._mapping.get(connection, 0) + 1
        self.mapped[connection] = dict(body.modules)

    async def _unregister(self, tenant: TenantId, connection: ConnectionId) -> None:
        self._hear("DELETE", tenant, connection)
        self.mapped.pop(connection, None)
        self.choices[connection] = {}

    def _hear(self, method: str, tenant: UUID, connection: UUID) -> None:
        if self.deaf:
            raise RuntimeError("the peer is down")
        self._check(tenant)
        self.told.append((method, connection))

    async def _records(
        self, tenant: TenantId, connection: ConnectionId, body: RecordsAsked
    ) -> PresentRecords:
        self._check(tenant)
        chosen = self._open(connection).get(body.module)
        found = [self.records[one] for one in body.ids if one in self.records]
        present = PresentRecords(
            chosen=chosen is not None,
            rows=[
                PresentRecord.model_validate(
                    one | {"fields": {name: one["fields"].get(name) for name in chosen}}
                )
                for one in found
                if chosen is not None and one["module"] == body.module
            ],
        )
        await self._let("once_read")
        return present

    async def _counts(self, tenant: TenantId, connection: ConnectionId) -> RecordCounts:
        self._check(tenant)
        present = Counter(one["module"] for one in self.records.values())
        return RecordCounts(modules={name: present[name] for name in self._open(connection)})

    async def _let(self, name: Literal["meanwhile", "once_read", "once_told"]) -> None:
        happens: Callable[[], Awaitable[None]] | None = getattr(self, name)
        if happens is not None:
            setattr(self, name, None)
            await happens()

    def _page(self, connection: UUID, after: str, limit: int) -> ChangePage:
        """A page of present records, by id, or of the journal: `chain:index[.last id]`."""
        chain, _, rest = after.partition(":")
        index, _, last = rest.partition(".")
        seen_then = self._seen_at.get((connection, after))
        reset = chain != self.chain or seen_then != self._deciding(connection)
        if reset:
            index, last = str(len(self.journal)), str(UUID(int=0))
        if not last:
            ids = self.journal[int(index) : int(index) + limit]
            position = f"{self.chain}:{int(index) + len(ids)}"
            return self._answer(connection, position, ids, reset=False)
        ids = self._present_after(UUID(last), limit + 1)
        place = f".{ids[limit - 1]}" if len(ids) > limit else ""
        position = f"{self.chain}:{index}{place}"
        return self._answer(connection, position, ids[:limit], reset=reset)

    def _present_after(self, last: UUID, most: int) -> list[UUID]:
        at = id(self.records), len(self.records), len(self.journal)
        if at != self._in_order_at:
            self._in_order, self._in_order_at = sorted(self.records), at
        begin = bisect_right(self._in_order, last)
        return self._in_order[begin : begin + most]

    def _answer(
        self, connection: UUID, position: str, ids: Iterable[UUID], *, reset: bool
    ) -> ChangePage:
        found = [self._head(one) for one in dict.fromkeys(ids)]
        rows = [one for one in found if one.module in self._open(connection)]
        more = position != f"{self.chain}:{len(self.journal)}"
        return ChangePage(position=position, more=more, reset=reset, rows=rows)

    def _head(self, record: UUID) -> ChangedRecord:
        present = record in self.records
        known = self.records[record] if present else self.gone[record]
        return ChangedRecord.model_validate(known | {"op": "upsert" if present else "delete"})

    def _choice(self, connection: UUID) -> dict[str, list[str]]:
        return self.choices.get(connection, self.choice)

    def _deciding(self, connection: UUID) -> object:
        return dict(self._choice(connection)), self._mapping.get(connection, 0)

    def _open(self, connection: UUID) -> dict[str, list[str]]:
        """What is chosen and, once it is told, mapped; a module without such a field is closed."""
        chosen, mapped = self._choice(connection), self.mapped.get(connection)
        if mapped is None:
            return chosen
        both = {
            name: [field for field in fields if field in mapped.get(name, ())]
            for name, fields in chosen.items()
        }
        return {name: fields for name, fields in both.items() if fields}

    def _check(self, tenant: UUID) -> None:
        self.asked_for.add(tenant)
        if self.down:
            self.refused += 1
            raise RuntimeError("the peer is down")
        if self.problem is not None:
            raise self.problem
        if tenant not in {self.tenant, *self.others}:
            raise NotFound
