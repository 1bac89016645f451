"""Every operation of the API document is played as its example says, with the story's material, and
answers what the document says. After a wanted change: BULKHEAD_GOLDEN=write, then `make docs`."""

import json
import os
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

import pytest

from ops import bodies, openapi
from ops.api import Api, Login, until
from ops.openapi import examples
from ops.story.material import companies, companies_csv, ndjson
from ops.story.scene import CHOSEN, Scene, new_password
from ops.story.syncing import KEY
from tests.journeys.playing import Player

COMMITTED = Path(examples.__file__).parent / "examples.json"
HERE, ANYWHERE_HERE = "127.0.0.1/32", "127.0.0.0/8"


@dataclass
class Play:
    """One new tenant, its administrator, and who plays."""

    player: Player
    stage: Scene
    anonymous: Api
    tenant: str = ""
    admin: Any = None

    def path(self, rest: str) -> str:
        return f"/t/{self.tenant}/v1/{rest}"

    async def by_operator(self, method: str, path: str, body: Any = None, **more: Any) -> Any:
        return await self.player.play(self.stage.operator, method, path, body, **more)

    async def by_admin(self, method: str, rest: str, body: Any = None, **more: Any) -> Any:
        return await self.player.play(self.admin, method, self.path(rest), body, **more)

    async def by_anybody(self, method: str, path: str, body: Any = None) -> Any:
        return await self.player.play(self.anonymous, method, path, body)


async def operators(play: Play) -> None:
    operator = play.stage.operator.login
    assert operator is not None
    for path in ("/v1/egress-addresses", "/.well-known/jwks.json"):
        await play.by_anybody("GET", path)
    login = bodies.login(operator.email, operator.password)
    tokens = await play.by_anybody("POST", "/v1/operators/login", login)
    refresh = bodies.refresh(tokens["refresh_token"])
    await play.by_anybody("POST", "/v1/operators/sessions/refresh", refresh)
    globally = await play.by_operator("GET", "/v1/allowlists/global")
    await play.by_operator("PUT", "/v1/allowlists/global", bodies.allowlist(globally["ranges"]))


async def sign_up(play: Play) -> None:
    made = await play.by_operator("POST", "/v1/tenants", bodies.tenant("Cedar Works"))
    play.tenant = made["id"]
    await play.by_operator("GET", f"/v1/tenants/{play.tenant}")
    await play.by_operator("GET", "/v1/tenants", only=[play.tenant])
    path = f"/v1/allowlists/{play.tenant}"
    await play.by_operator("PUT", path, bodies.allowlist([HERE]))
    await play.by_operator("GET", path)
    login = Login("admin@cedar.example", new_password(), play.tenant)
    body = bodies.invitation_by_operator(login.email, 80, play.tenant)
    invited = await play.by_operator("POST", "/v1/invitations", body)
    accepted = bodies.acceptance(invited["invitation"], login.password)
    await play.by_anybody("POST", play.path("invitations/accept"), accepted)
    entered = bodies.login(login.email, login.password)
    tokens = await play.by_anybody("POST", play.path("login"), entered)
    refresh = bodies.refresh(tokens["refresh_token"])
    await play.by_anybody("POST", play.path("sessions/refresh"), refresh)
    play.admin = await play.stage.session(login)


async def people(play: Play) -> None:
    await play.player.play(play.admin, "GET", "/v1/me")
    invited = await play.by_admin(
        "POST", "users/invitations", bodies.invitation("buyer@cedar.example", 25)
    )
    accepted = bodies.acceptance(invited["invitation"], new_password())
    joined = await play.by_anybody("POST", play.path("invitations/accept"), accepted)
    await play.by_admin("PUT", f"users/{joined['user']}/level", {"level": 61})
    await play.by_admin("DELETE", f"users/{joined['user']}/lockout")
    await play.by_admin("GET", "users")
    await play.by_admin("PUT", "allowlist", bodies.allowlist([HERE]))
    await play.by_admin("GET", "allowlist")
    body = bodies.invitation_by_operator("helena@bulkhead.example", 80, None)
    invited = await play.by_operator("POST", "/v1/invitations", body)
    accepted = bodies.acceptance(invited["invitation"], new_password())
    joined = await play.by_anybody("POST", "/v1/operators/invitations/accept", accepted)
    await play.by_operator("DELETE", f"/v1/operators/{joined['user']}/lockout")


async def records(play: Play) -> None:
    await play.by_admin("GET", "modules")
    first, *others = companies()[:3]
    made = await play.by_admin("POST", "records/organisation", bodies.row(first["symbol"], first))
    one = f"records/organisation/{made['id']}"
    await play.by_admin("GET", one)
    moved = {"fields": {"headquarters": f"{first['headquarters']} (moved)"}}
    await play.by_admin("PATCH", one, moved, headers={"If-Match": await tag(play, one)})
    lines = ndjson([bodies.row(other["symbol"], other) for other in others])
    await play.by_admin("POST", "records/organisation/bulk", lines, media="application/x-ndjson")
    head, *rows = companies_csv().splitlines(keepends=True)
    await play.by_admin(
        "POST",
        "records/organisation/import",
        b"".join([head, *rows[3:5]]),
        media="text/csv",
        query={"key": "symbol"},
    )
    listed = {"filter": ["sector:eq:Industrials"], "sort": "name", "limit": 2}
    await play.by_admin("GET", "records/organisation", query=listed)
    page = await play.admin.get(play.path("changes"), limit=1)
    await play.by_admin("GET", "changes", query={"after": page["position"], "limit": 2})


async def tag(play: Play, one: str) -> str:
    """The entity tag of a record."""
    read = await play.admin.raw("GET", play.path(one))
    return str(read.headers["etag"])


async def syncing(play: Play) -> None:
    crm = play.stage.crm.credentials()
    body = bodies.connection(play.stage.crm_url, crm, KEY, CHOSEN)
    made = await play.by_admin("POST", "connections", body)
    one = f"connections/{made['id']}"
    choice = f"field-choices/{made['id']}/organisation"
    await play.by_admin("PUT", choice, bodies.field_choice(list(CHOSEN)))
    await play.by_admin("GET", choice)

    async def all_arrived() -> bool:
        found = await play.admin.get(play.path(one))
        return found["outcomes"] == {"ok": 5} and found["pushed_at"] is not None

    await until("all organisations arrive", all_arrived)
    for place in ("", "/outcomes", "/outcomes/summary", "/comparison", "/ledger"):
        await play.by_admin("GET", one + place)
    await play.by_admin("GET", "connections")
    for form in ("csv", "jsonl"):
        await play.by_admin("GET", f"{one}/ledger/export", query={"format": form})
    asked = await play.by_admin("POST", f"{one}/runs")
    await until("the run ends", partial(is_done, play, f"{one}/runs"))
    await play.by_admin("GET", f"{one}/runs", query={"limit": 1})
    await ended(play, f"{one}/runs/{asked['id']}", "done")
    await play.by_admin("POST", f"{one}/test")
    secret = {"client_secret": crm["client_secret"]}
    await play.by_admin("PUT", f"{one}/credentials", secret)
    await play.by_admin("POST", f"{one}/credentials/certificate", {"days": 365})
    await play.by_admin("GET", f"{one}/credentials")
    await play.by_admin("DELETE", f"{one}/credentials/next")
    await play.by_admin("POST", f"{one}/pause")
    await move_one(play)
    await play.by_admin("POST", f"{one}/dry-run", {"module": "organisation", "limit": 100})
    await play.by_admin("PATCH", one, {"name": "Sales"})
    await play.by_admin("POST", f"{one}/resync", {"module": "organisation"})
    await play.by_admin("POST", f"{one}/resume")
    await play.by_admin("POST", f"{one}/retry", {"code": "value-refused"})
    await play.by_admin("DELETE", one)


async def move_one(play: Play) -> None:
    """One organisation has something to send."""
    found = await play.admin.get(play.path("records/organisation"), sort="name", limit=1)
    one = f"records/organisation/{found['records'][0]['id']}"
    moved = {"fields": {"headquarters": "Oslo, Norway"}}
    headers = {"If-Match": await tag(play, one)}
    await play.admin.call("PATCH", play.path(one), json=moved, headers=headers)


async def is_done(play: Play, place: str) -> bool:
    """The newest of these runs."""
    [found] = (await play.admin.get(play.path(place), limit=1))["runs"]
    return bool(found["state"] == "done")


async def backups(play: Play) -> None:
    asked = await play.by_admin("POST", "backups")
    await ended(play, f"backups/{asked['id']}", "verified")
    await play.by_admin("GET", "backups")
    listed = await play.admin.get(play.path("records/organisation"), limit=500)
    ids = [record["id"] for record in listed["records"]]
    await play.by_admin("POST", "records/organisation/bulk-delete", bodies.deletion(ids[:2]))
    one = f"records/organisation/{ids[2]}"
    await play.by_admin("DELETE", one, headers={"If-Match": await tag(play, one)})
    planned = await play.by_admin("POST", "restores", bodies.restore(asked["id"]))
    await play.by_admin("POST", f"restores/{planned['id']}/execute")
    await ended(play, f"restores/{planned['id']}", "completed")
    await play.by_admin("GET", "restores")


async def ended(play: Play, place: str, well: str) -> None:
    async def is_over() -> bool:
        found = await play.admin.get(play.path(place))
        assert found["state"] != "failed", found
        return bool(found["state"] == well)

    await until(f"{place} is {well}", is_over)
    await play.by_admin("GET", place)


async def ending(play: Play) -> None:
    await play.player.play(play.admin, "POST", "/v1/logout")
    for action in ("suspend", "resume"):
        await play.by_operator("POST", f"/v1/tenants/{play.tenant}/{action}")


@pytest.fixture(scope="module")
async def played(stage: Scene) -> Player:
    """What the document says without its examples, played from its first to its last operation."""
    play = Play(Player(openapi.document()), stage, await stage.session(None))
    for act in (operators, sign_up, people, records, syncing, backups, ending):
        await act(play)
    if os.environ.get("BULKHEAD_GOLDEN") == "write":
        COMMITTED.write_text(json.dumps(play.player.examples, indent=1) + "\n")
    return play.player


def named(document: Any) -> dict[str, Any]:
    return {
        operation["operationId"]: operation
        for entries in document["paths"].values()
        for operation in entries.values()
    }


async def test_every_operation_is_played_and_answers_what_its_example_says(played: Player) -> None:
    committed = json.loads(COMMITTED.read_text())
    assert played.examples.keys() == named(played.document).keys()
    for name, example in played.examples.items():
        assert example == committed[name], name
    assert committed.keys() == played.examples.keys()


async def test_every_example_is_what_its_schema_says(played: Player) -> None:
    for name, operation in named(played.document).items():
        for parameter in operation.get("parameters", []):
            if "example" in parameter:
                played.check(parameter["schema"], parameter["example"])
        for content in operation.get("requestBody", {}).get("content", {}).values():
            played.check(content["schema"], content["example"])
        for status, answer in operation["responses"].items():
            for content in answer.get("content", {}).values():
                assert "example" in content or status == "202", f"{name} {status}"
                if "example" in content:
                    played.check(content["schema"], content["example"])
