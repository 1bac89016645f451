"""A stand-in for the tenants service: the two internal routes of the contract, over records in
memory; it applies the field choice at the source, as the real one does."""

from collections.abc import Awaitable, Callable, Mapping
from typing import Any
from uuid import UUID

import httpx2
from fastapi import FastAPI

from contracts.clients import TenantsClient
from contracts.ids import TenantId, new_id
from kit.problems import NotFound
from kit.sealing import SigningKey


class PeerTenants:
    """`put` and `delete` change records; `chain` stands for the database they are in."""

    def __init__(self, tenant: TenantId) -> None:
        self.tenant, self.state, self.chain = tenant, "active", "a"
        self.others: set[UUID] = set()  # tenants with the same records
        self.records: dict[UUID, dict[str, Any]] = {}
        self.journal: list[UUID] = []
        self.choice: dict[str, list[str]] = {}
        self.choices: dict[UUID, dict[str, list[str]]] = {}  # of a connection, instead of `choice`
        self.meanwhile: Callable[[], Awaitable[None]] | None = None  # once, while a page is read
        self.down = False
        self.positions: list[str] = []  # that pages were asked for after
        self.refused = 0
        self.asked_for: set[UUID] = set()

    def fill(self, count: int) -> None:
        """`count` records, each with fields that are chosen and fields that are not."""
        for number in range(count):
            key, name = f"K{number}", f"Name {number}"
            self.put(key, name=name, sector="Energy", founded="1999", cik="SECRET")

    def put(
        self, key: str, *, module: str = "organisation", id_: UUID | None = None, **fields: Any
    ) -> UUID:
        known = next((r["id"] for r in self.records.values() if r["key"] == key), None)
        record = id_ or known or new_id()
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

    def delete(self, record: UUID) -> None:
        del self.records[record]
        self.journal.append(record)

    def client(self) -> TenantsClient:
        transport = httpx2.ASGITransport(self._app(), raise_app_exceptions=False)
        return TenantsClient(
            "http://tenants", key=SigningKey.generate(), service="sync", transport=transport
        )

    def _app(self) -> FastAPI:
        app = FastAPI()

        @app.get("/internal/tenants")
        async def tenants() -> dict[str, Any]:
            others = [{"id": str(other), "state": "active"} for other in self.others]
            return {"tenants": [{"id": str(self.tenant), "state": self.state}, *others]}

        @app.get("/internal/tenants/{tenant}/connections/{connection}/changes")
        async def changes(
            tenant: UUID, connection: UUID, after: str = "", limit: int = 500
        ) -> dict[str, Any]:
            self._check(tenant)
            self.positions.append(after)
            if self.meanwhile is not None:
                meanwhile, self.meanwhile = self.meanwhile, None
                await meanwhile()
            chain, _, index = after.partition(":")
            reset = chain != self.chain
            ids = list(self.records) if reset else self.journal[int(index) :][:limit]
            end = len(self.journal) if reset else int(index) + len(ids)
            return {
                "position": f"{self.chain}:{end}",
                "more": end < len(self.journal),
                "reset": reset,
                "rows": [row for id_ in ids if (row := self._row(id_, connection))],
            }

        @app.post("/internal/tenants/{tenant}/connections/{connection}/records")
        async def records(tenant: UUID, connection: UUID, body: dict[str, Any]) -> dict[str, Any]:
            self._check(tenant)
            known = [UUID(one) for one in body["ids"] if UUID(one) in self.records]
            rows = [self._row(one, connection) for one in known]
            return {"rows": [row for row in rows if row and row["module"] == body["module"]]}

        return app

    def _check(self, tenant: UUID) -> None:
        self.asked_for.add(tenant)
        if self.down:
            self.refused += 1
            raise RuntimeError("the peer is down")
        if tenant not in {self.tenant, *self.others}:
            raise NotFound

    def _row(self, id_: UUID, connection: UUID) -> Mapping[str, Any] | None:
        record = self.records.get(id_)
        if record is None:
            module = "organisation"
            gone: dict[str, Any] = {
                "id": str(id_),
                "module": module,
                "key": None,
                "version": 1,
                "fields": {},
            }
            return {**gone, "op": "delete"}
        choice = self.choices.get(connection, self.choice)
        if record["module"] not in choice:
            return None
        chosen = choice[record["module"]]
        fields = {name: record["fields"].get(name) for name in chosen}
        return {**record, "id": str(id_), "op": "upsert", "fields": fields}
