"""Feeds lose nothing, repeat little, and carry the chosen fields only."""

import asyncio
import json
from typing import Any
from uuid import UUID, uuid4

import pytest
from sqlalchemy import text

from contracts.access import Scope
from kit.http import parts_of
from kit.timers import running
from services.tenants.parts import RecordsParts
from tests.eventually import eventually

CHOSEN = ["symbol", "name"]


class Feed:
    """A consumer that follows the feed of one connection."""

    def __init__(self, api: Any, connection: UUID, limit: int = 500) -> None:
        self.api, self.connection = api, f"/connections/{connection}"
        self.path = f"{self.connection}/changes?limit={limit}"
        self.position: str | None = None
        self.resets = 0
        self.seen: dict[str, Any] = {}
        self.answers: list[str] = []

    async def page(self) -> Any:
        after = f"&after={self.position}" if self.position else ""
        answer = await self.api.internal("GET", self.path + after)
        assert answer.status_code == 200, answer.text
        self.answers.append(answer.text)
        page = answer.json()
        self.position = page["position"]
        self.resets += page["reset"]
        for row in page["rows"]:
            self.seen[row["id"]] = row
        return page

    async def catch_up(self) -> list[Any]:
        rows: list[Any] = []
        more = True
        while more:
            page = await self.page()
            rows, more = rows + page["rows"], page["more"]
        return rows

    async def values(self, module: str = "organisation") -> dict[str, Any]:
        """The present values of all that was seen, by key."""
        ids = [row["id"] for row in self.seen.values() if row["module"] == module]
        body = {"module": module, "ids": ids}
        answer = await self.api.internal("POST", f"{self.connection}/records", json=body)
        self.answers.append(answer.text)
        return {row["key"]: row["fields"] for row in answer.json()["rows"]}


@pytest.fixture
async def connection(api: Any) -> UUID:
    """A connection that may see two fields of organisations and nothing of persons."""
    made = uuid4()
    await api.register(made)
    path = f"/field-choices/{made}/organisation"
    assert (await api.call("PUT", path, json={"fields": CHOSEN})).status_code == 200
    return made


async def test_a_new_reader_gets_all_records_then_only_what_changes(
    api: Any, connection: UUID
) -> None:
    made = await api.create({"symbol": "A", "name": "a", "sector": "secret"})
    await api.create({"last_name": "unchosen module"}, "person")
    feed = Feed(api, connection)
    first = await feed.catch_up()
    assert first == [
        {"id": made["id"], "module": "organisation", "key": "A", "op": "upsert", "version": 1}
    ]
    assert await feed.values() == {"A": {"symbol": "A", "name": "a"}}
    assert feed.resets == 1
    assert await feed.catch_up() == []
    await api.patch(made, {"fields": {"name": "b"}})
    await api.patch(made, {"fields": {"name": "c"}}, version=2)
    assert [row["version"] for row in await feed.catch_up()] == [3]
    assert (await feed.values())["A"]["name"] == "c"
    assert feed.resets == 1


async def test_values_leave_only_when_asked_for_and_unchosen_ones_never(
    api: Any, connection: UUID
) -> None:
    made = await api.create({"symbol": "A", "name": "ch0sen", "sector": "s3cret", "cik": "s3cret"})
    feed = Feed(api, connection)
    await feed.catch_up()
    await api.patch(made, {"fields": {"name": "ch0sen too", "headquarters": "s3cret"}})
    await api.create({"last_name": "s3cret", "email": "s3cret@example.org"}, "person")
    await feed.catch_up()
    assert "ch0sen" not in "".join(feed.answers)
    assert await feed.values() == {"A": {"symbol": "A", "name": "ch0sen too"}}
    path = f"/connections/{connection}/records"
    asked = await api.internal(
        "POST", path, json={"module": "organisation", "ids": [made["id"], str(uuid4())]}
    )
    assert [row["id"] for row in asked.json()["rows"]] == [made["id"]]
    none = await api.internal("POST", path, json={"module": "person", "ids": [made["id"]]})
    assert none.json() == {"chosen": False, "rows": []}
    assert "s3cret" not in "".join(feed.answers) + asked.text
    assert "headquarters" not in "".join(feed.answers) + asked.text


async def test_a_cleared_field_leaves_as_null_and_a_deleted_record_as_delete(
    api: Any, connection: UUID
) -> None:
    path = f"/field-choices/{connection}/organisation"
    await api.call("PUT", path, json={"fields": ["name", "sector"]})
    made = await api.create({"symbol": "A", "name": "a", "sector": "IT"})
    person = await api.create({"last_name": "x"}, "person")
    feed = Feed(api, connection)
    await feed.catch_up()
    await api.patch(made, {"fields": {"sector": None}})
    await feed.catch_up()
    assert (await feed.values())["A"] == {"name": "a", "sector": None}
    for record, tag in ((made, api.tag(2)), (person, api.tag(1))):
        path = f"/records/{record['module']}/{record['id']}"
        await api.call("DELETE", path, headers={"if-match": tag})
    assert await feed.catch_up() == [
        {"id": made["id"], "module": "organisation", "key": "A", "op": "delete", "version": 2}
    ]  # fmt: skip


async def test_what_comes_and_goes_between_two_reads_ends_as_delete(
    api: Any, connection: UUID
) -> None:
    feed = Feed(api, connection)
    await feed.catch_up()
    made = await api.create({"symbol": "A", "name": "a"})
    path = f"/records/organisation/{made['id']}"
    await api.call("DELETE", path, headers={"if-match": api.tag(1)})
    assert [row["op"] for row in await feed.catch_up()] == ["delete"]


async def test_small_pages_show_everything_once_also_while_walking(
    api: Any, connection: UUID
) -> None:
    await api.bulk([{"key": f"K{n}", "fields": {"name": "x"}} for n in range(25)])
    feed = Feed(api, connection, limit=10)
    await feed.page()
    await api.bulk(
        [{"key": "K0", "fields": {"name": "y"}}, {"key": "K99", "fields": {"name": "z"}}]
    )
    await feed.catch_up()
    assert len(feed.seen) == 26
    assert feed.resets == 1
    names = {key: fields["name"] for key, fields in (await feed.values()).items()}
    assert (names["K0"], names["K99"], names["K7"]) == ("y", "z", "x")


async def test_a_position_of_another_chain_starts_over_and_a_broken_one_is_refused(
    api: Any, connection: UUID, tenant_cluster: Any, address: Any
) -> None:
    await api.create({"symbol": "A", "name": "a"})
    feed = Feed(api, connection)
    await feed.catch_up()
    async with tenant_cluster.inside(address.database, f"{address.database}_owner") as inside:
        await inside.execute("UPDATE tenant_identity SET chain = gen_random_uuid()")
    assert [row["key"] for row in await feed.catch_up()] == ["A"]
    assert feed.resets == 2
    for after in ("x", "a.b", f"{feed.position}.x", f"x.{uuid4()}", "%00", "é"):
        path = f"/connections/{connection}/changes?after={after}"
        assert (await api.internal("GET", path)).status_code == 422, after


async def test_a_changed_choice_starts_the_feed_over_though_no_notice_arrives(
    api: Any, connection: UUID
) -> None:
    await api.create({"symbol": "A", "name": "a", "sector": "IT"})
    feed, other = Feed(api, connection, limit=1), Feed(api, uuid4())
    await feed.catch_up()
    await other.catch_up()
    path = f"/field-choices/{connection}/organisation"
    for chosen in (["sector"], ["sector"], []):
        await api.call("PUT", path, json={"fields": chosen})
        await api.create({"symbol": str(uuid4()), "name": "b"})
        await feed.catch_up()
    assert feed.resets == 3, "a choice that changes nothing starts nothing over"
    assert await feed.values() == {}
    await other.catch_up()
    assert other.resets == 1


async def test_concurrent_writers_lose_nothing(api: Any, connection: UUID) -> None:
    feed = Feed(api, connection, limit=20)
    await feed.catch_up()

    async def write(writer: int) -> None:
        for step in range(10):
            rows = [{"key": f"W{writer}-{n}", "fields": {"name": f"v{step}"}} for n in range(3)]
            assert (await api.bulk(rows)).status_code == 200

    writers = asyncio.gather(*(write(n) for n in range(4)))
    while not writers.done():
        await feed.page()
        await asyncio.sleep(0)
    await writers
    await feed.catch_up()
    assert {key: fields["name"] for key, fields in (await feed.values()).items()} == {
        f"W{writer}-{n}": "v9" for writer in range(4) for n in range(3)
    }
    assert feed.resets == 1


async def test_only_sync_may_read_a_connection(api: Any, connection: UUID) -> None:
    path = f"/internal/tenants/{api.tenant}/connections/{connection}/changes"
    assert (await api.raw("GET", path)).status_code == 401
    headers = {"authorization": f"Bearer {api.token()}"}
    assert (await api.raw("GET", path, headers=headers)).status_code == 401


async def test_the_api_feed_shows_whole_records_of_fully_visible_modules(api: Any) -> None:
    made = await api.create({"symbol": "A", "name": "a", "sector": "IT"})
    await api.create({"last_name": "x"}, "person")
    consumer = api.as_user(
        export_api_bulk=Scope.ALL, organisation_view=Scope.ALL, person_view=Scope.OWN
    )
    page = (await consumer.call("GET", "/changes")).json()
    assert [row["fields"] for row in page["rows"]] == [made["fields"]]
    await api.patch(made, {"fields": {"sector": "Energy"}})
    after = f"/changes?after={page['position']}"
    [row] = (await consumer.call("GET", after)).json()["rows"]
    assert (row["fields"]["sector"], row["version"]) == ("Energy", 2)
    narrow = api.as_user(export_api_bulk=Scope.ALL, organisation_view=Scope.OWN)
    assert (await narrow.call("GET", "/changes")).status_code == 403
    viewer = api.as_user(organisation_view=Scope.ALL)
    assert (await viewer.call("GET", "/changes")).status_code == 403


async def test_many_writes_become_one_notice_with_the_tenant_alone(api: Any, control: Any) -> None:
    notices = parts_of(api.app, RecordsParts).notices
    for n in range(3):
        await api.create({"name": f"{n}"})
    async with control.write() as session:
        await session.run(text("DELETE FROM outbox"))
    await notices.flush()
    await notices.flush()
    async with control.read() as session:
        rows = await session.all(text("SELECT topic, body FROM outbox"))
    assert [row["topic"] for row in rows] == ["tenants.journal.advanced.v1"]
    assert json.loads(rows[0]["body"])["data"] == {"tenant": str(api.tenant)}


async def test_the_timer_writes_soon_after_a_write(api: Any, control: Any) -> None:
    async with control.write() as session:
        await session.run(text("DELETE FROM outbox"))
    notices = parts_of(api.app, RecordsParts).notices
    async with running([notices.timer]):
        await api.create({"name": "x"})

        async def is_told() -> bool:
            return await _count(control) == 1

        await eventually(is_told)


async def _count(control: Any) -> int:
    async with control.read() as session:
        return int(await session.scalar(text("SELECT count(*) FROM outbox")))
