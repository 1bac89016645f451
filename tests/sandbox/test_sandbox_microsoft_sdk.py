"""A client that nobody here wrote: Microsoft's own SDK drives the simulator over real TLS."""

import asyncio
import time
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest
import requests
from azure.core.credentials import AccessToken, TokenCredential
from PowerPlatform.Dataverse.client import DataverseClient
from PowerPlatform.Dataverse.core.config import DataverseConfig
from PowerPlatform.Dataverse.core.errors import HttpError
from PowerPlatform.Dataverse.models import UpsertItem, col

from sandbox.certificates import Authority
from sandbox.dataverse import DataverseSimulator, Limits

Client = Any


class SimulatorCredential(TokenCredential):
    """Gets its tokens where the simulator gives them out, as an Azure credential would."""

    def __init__(self, sim: DataverseSimulator, scope: str = "") -> None:
        self._form = {
            "grant_type": "client_credentials",
            "client_id": sim.client_id,
            "client_secret": sim.client_secret,
        }
        self._scope = scope
        self._url = sim.token_url

    def get_token(self, *scopes: str, **_: Any) -> AccessToken:
        form = {**self._form, "scope": self._scope or " ".join(scopes)}
        answer = requests.post(self._url, data=form, timeout=10)
        answer.raise_for_status()
        body = answer.json()
        return AccessToken(body["access_token"], int(time.time()) + body["expires_in"])


@pytest.fixture
async def sdk(
    sim: DataverseSimulator, authority: Authority, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> AsyncIterator[Client]:
    bundle = tmp_path / "ca.pem"
    bundle.write_bytes(authority.certificate)
    monkeypatch.setenv("REQUESTS_CA_BUNDLE", str(bundle))
    with DataverseClient(sim.url, SimulatorCredential(sim)) as client:
        yield client


def company(symbol: str, **record: Any) -> UpsertItem:
    return UpsertItem(alternate_key={"bulkhead_symbol": symbol}, record=record)


async def test_it_creates_gets_updates_and_deletes_one_row(
    sdk: Client, sim: DataverseSimulator
) -> None:
    def story() -> None:
        row_id = sdk.records.create("account", {"Name": "Acme", "industrycode": "Accounting"})
        sdk.records.update("account", row_id, {"telephone1": "555"})
        found = sdk.records.retrieve("account", row_id, select=["name", "telephone1"])
        assert (found["name"], found["telephone1"]) == ("Acme", "555")
        assert sim.rows("accounts")[0]["industrycode"] == 1
        sdk.records.delete("account", row_id)
        assert sdk.records.retrieve("account", row_id) is None

    await asyncio.to_thread(story)
    assert sim.rows("accounts") == []


async def test_it_creates_updates_and_deletes_many_rows(
    sdk: Client, sim: DataverseSimulator
) -> None:
    def story() -> None:
        ids = sdk.records.create("account", [{"name": f"n{number}"} for number in range(20)])
        assert len(set(ids)) == 20
        sdk.records.update("account", ids, {"telephone1": "1"})
        assert {row["telephone1"] for row in sim.rows("accounts")} == {"1"}
        sdk.records.update("account", ids[:2], [{"telephone1": "2"}, {"telephone1": "3"}])
        assert sdk.records.delete("account", ids)

    await asyncio.to_thread(story)
    assert sim.rows("accounts") == []


async def test_it_upserts_one_and_many_by_alternate_key(
    sdk: Client, sim: DataverseSimulator
) -> None:
    def story() -> None:
        sdk.records.upsert("account", [company("O'B", name="one")])
        for name in ("two", "three"):
            sdk.records.upsert("account", [company("O'B", name=name), company("C", name=name)])

    await asyncio.to_thread(story)
    assert [(r["bulkhead_symbol"], r["name"]) for r in sim.rows("accounts")] == [
        ("O'B", "three"),
        ("C", "three"),
    ]


async def test_it_queries_with_filters_and_follows_pages(
    sdk: Client, sim: DataverseSimulator
) -> None:
    def story() -> None:
        rows = [{"name": f"n{number:02}", "bulkhead_sector": "Energy"} for number in range(12)]
        sdk.records.create("account", [*rows, {"name": "other"}])
        pages = sdk.records.list_pages(
            "account",
            select=["name"],
            filter="bulkhead_sector eq 'energy'",
            orderby=["name asc"],
            page_size=5,
        )
        sizes = [[row["name"] for row in page] for page in pages]
        assert [len(page) for page in sizes] == [5, 5, 2]
        assert [name for page in sizes for name in page] == [row["name"] for row in rows]
        built = sdk.query.builder("account").select("name").where(col("name").like("%ther"))
        assert [row["name"] for row in built.execute()] == ["other"]

    await asyncio.to_thread(story)


async def test_its_batches_and_change_sets_run(sdk: Client, sim: DataverseSimulator) -> None:
    def story() -> None:
        batch = sdk.batch.new()
        batch.records.upsert("account", [company("A", name="a")])
        batch.records.create("account", {"name": "x" * 200})
        batch.records.list("account", select=["name"], filter="name eq 'a'")
        with batch.changeset() as changes:
            parent = changes.records.create("account", {"name": "parent"})
            child = {"lastname": "child", "parentcustomerid_account@odata.bind": parent}
            changes.records.create("contact", child)
        result = batch.execute(continue_on_error=True)
        statuses = [response.status_code for response in result.responses]
        assert statuses == [204, 400, 200, 204, 204]
        assert result.responses[1].error_code == "0x80044331"
        assert result.responses[2].data["value"][0]["name"] == "a"

    await asyncio.to_thread(story)
    assert sim.rows("contacts")[0]["parentcustomerid"]


async def test_it_reads_the_metadata(sdk: Client) -> None:
    def story() -> None:
        assert sdk.tables.get("account").entity_set_name == "accounts"
        keys = sdk.tables.get_alternate_keys("account")
        assert ["bulkhead_symbol"] in [key.key_attributes for key in keys]
        names = [column["name"] for column in sdk.query.sql_columns("contact")]
        assert names[:2] == ["contactid", "lastname"]

    await asyncio.to_thread(story)


async def test_it_sees_refusals_throttling_and_a_bad_certificate(
    sdk: Client, sim: DataverseSimulator
) -> None:
    def refused(deed: Any, *arguments: Any) -> HttpError:
        with pytest.raises(HttpError) as caught:
            deed(*arguments)
        return caught.value

    create = sdk.records.create
    too_long = await asyncio.to_thread(refused, create, "account", {"name": "x" * 161})
    assert (too_long.status_code, too_long.details["service_error_code"]) == (400, "0x80044331")
    sim.simulation.set_limits(Limits(window_s=5, requests=1))
    await asyncio.to_thread(create, "account", {"numberofemployees": 1})
    limited = await asyncio.to_thread(refused, create, "account", {"numberofemployees": 1})
    assert limited.status_code == 429
    assert 1 <= limited.details["retry_after"] <= 5
    async with sim.untrusted() as addresses:
        once = DataverseConfig(http_retries=1)
        credential = SimulatorCredential(sim, sim.scope)
        with DataverseClient(addresses["self-signed"], credential, once) as stranger:
            with pytest.raises(requests.exceptions.SSLError):
                await asyncio.to_thread(stranger.records.create, "account", {"name": "n"})
