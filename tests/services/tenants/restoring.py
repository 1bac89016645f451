"""A restore as the backup service brings it about, up to the swap."""

from dataclasses import dataclass
from typing import Any
from uuid import uuid4

from contracts.ids import TenantId
from tenantdb import template
from tests.services.tenants.running_tenants import Suite, open_lease

ADD = """INSERT INTO record (id, module, data)
    VALUES (gen_random_uuid(), 'person', '{"last_name": "Restored"}')"""


@dataclass
class Restore:
    """A tenant with one record too few, and a target that holds what it should have."""

    suite: Suite
    tenant: TenantId
    restore: str
    database: str

    @classmethod
    async def prepared(cls, suite: Suite, name: str = "Acme") -> "Restore":
        tenant, restore_id = await suite.tenant(name), str(uuid4())
        path = f"/tenants/{tenant}/restore-targets"
        target = (await suite.peer("backup", "POST", path, {"restore": restore_id})).json()
        one = cls(suite, tenant, restore_id, target["database"])
        await one.fill()
        return one

    async def fill(self) -> None:
        """What pg_restore does: the tenant's schema and data, made with a restore lease."""
        name = await self.suite.name_of(self.tenant)
        await template.upgrade(self.suite.hands, self.database, f"{name}_owner")
        body = {"purpose": "restore", "target": self.database}
        answer = await self.suite.peer("backup", "POST", f"/tenants/{self.tenant}/leases", body)
        assert answer.status_code == 201, answer.text
        connection = await open_lease(answer.json())
        await connection.execute(ADD)
        await connection.close()

    async def run(self, sql: str, *args: object) -> None:
        """SQL in the target, as its owner."""
        owner = f"{await self.suite.name_of(self.tenant)}_owner"
        async with self.suite.hands.inside(self.database, owner) as inside:
            await inside.execute(sql, *args)

    async def swap(self) -> Any:
        body = {"restore": self.restore, "database": self.database}
        return await self.suite.peer("backup", "POST", f"/tenants/{self.tenant}/swap", body)

    async def names(self) -> list[str]:
        answer = await self.suite.user(self.tenant, "GET", "/records/person")
        assert answer.status_code == 200, answer.text
        return [row["fields"]["last_name"] for row in answer.json()["records"]]

    async def target(self) -> Any:
        return await self.suite.database.fetchrow(
            "SELECT * FROM restore_target WHERE database = $1", self.database
        )
