"""What a customer is told of the certificates of a CRM, and what a revoked one stops."""

import contextlib
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

from sandbox.certificates import Identity
from services.sync.egress import Egress, InjectedName
from tests.services.sync.list_server import ListServer, publishing
from tests.services.sync.peer_tenants import PeerTenants
from tests.services.sync.public_authority import (
    LEAF_LIST,
    LISTS,
    ROOT_LIST,
    Leaf,
    PublicAuthority,
)
from tests.services.sync.running_sync import LIMITS, Sync, injected_name, running_sync
from tests.services.sync.simulated_crms import HOST, SIMULATORS, SimulatedCrm


class Published:
    """A public authority in the words of the simulator's own."""

    def __init__(self, *points: str) -> None:
        self.public, self._points = PublicAuthority(), points
        self.leaves: list[Leaf] = []

    @property
    def certificate(self) -> bytes:
        return self.public.root.pem

    def issue(self, host: str, *_: str) -> Identity:
        self.leaves.append(self.public.issue(host, self._points))
        return self.leaves[-1].identity

    def publish(self, lists: ListServer, *revoked: int) -> None:
        lists.put(ROOT_LIST, self.public.root.sign_list())
        lists.put(LEAF_LIST, self.public.below.sign_list(*revoked))


@contextlib.asynccontextmanager
async def syncing(
    kind: str, url: str, folder: Path, peer: PeerTenants, *points: str
) -> AsyncIterator[tuple[Sync, Published, ListServer]]:
    authority: Any = Published(*points)
    async with publishing() as lists, SIMULATORS[kind](host=HOST, authority=authority) as crm:
        authority.publish(lists)
        place = InjectedName(LISTS, "127.0.0.1", lists.port, "")
        egress = Egress.injecting(injected_name(crm), lists=place, limits=LIMITS)
        async with running_sync(url, folder, crm, peer, egress=egress) as sync:
            yield sync, authority, lists


async def steps(sync: Sync, connection: str) -> dict[str, dict[str, Any]]:
    answer = await sync.http.post(f"{sync.path}/{connection}/test")
    assert answer.status_code == 200, answer.text
    return {step["step"]: step for step in answer.json()["steps"]}


async def test_the_probe_names_the_lists_and_the_ledger_the_questions(
    kind: str, sync_url: str, tmp_path: Path, peer: PeerTenants
) -> None:
    async with syncing(kind, sync_url, tmp_path, peer, LEAF_LIST) as (sync, _, _):
        connection = await sync.connect()
        found = (await steps(sync, connection))["revocation"]
        told = f"not revoked by the list of {LISTS}, 1 h old"
        assert found == {
            "step": "revocation",
            "ok": True,
            "reason": "",
            "note": f"{HOST}: certificate: {told}; authority 1: {told}",
        }
        calls = (await sync.get(f"/{connection}/ledger?limit=500"))["calls"]
    asked = [one for one in calls if one["operation"] == "revocation-list"]
    assert {(one["host"], one["method"], one["status"]) for one in asked} == {(LISTS, "GET", 200)}
    assert {(one["rows"], one["request_bytes"], *one["fields"]) for one in asked} == {(0, 0)}


async def test_a_crm_whose_certificate_was_revoked_gets_nothing_and_the_probe_says_why(
    kind: str, sync_url: str, tmp_path: Path, peer: PeerTenants
) -> None:
    async with syncing(kind, sync_url, tmp_path, peer, LEAF_LIST) as (sync, authority, lists):
        authority.publish(lists, *(leaf.serial for leaf in authority.leaves))
        refused = await sync.http.post(sync.path, json=sync.wanted())
        assert refused.status_code == 422
        body = refused.json()
        assert (body["step"], body["detail"]) == (
            "revocation",
            f"{HOST}: certificate has been revoked",
        )
        assert sync.simulator.requests() == []


async def test_a_kind_that_refuses_says_that_no_list_can_be_had(
    kind: str, sync_url: str, tmp_path: Path, peer: PeerTenants
) -> None:
    async with syncing(kind, sync_url, tmp_path, peer) as (sync, _, _):
        refused = (await sync.http.post(sync.path, json=sync.wanted())).json()
        assert refused["step"] == "revocation"
        assert "no revocation list can be had (it names none)" in refused["detail"]
        assert sync.simulator.requests() == []


async def test_the_local_simulator_is_accepted_without_a_list_and_the_probe_says_so(
    sync: Sync, simulator: SimulatedCrm
) -> None:
    """Its authority publishes none, which only code can say of a name."""
    found = (await steps(sync, await sync.connect()))["revocation"]
    assert found["ok"]
    assert found["note"] == (
        f"{HOST}: certificate: accepted although no list could be had (it names none)"
    )
    assert simulator.requests()
