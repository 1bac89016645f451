"""Act two: tenant A connects its CRM; what it chose arrives once, nothing else leaves."""

from typing import Any

from ops import bodies
from ops.answers import ApiRefused
from ops.api import until
from ops.story.crm import received_text, writes
from ops.story.material import companies, ndjson
from ops.story.scene import CHOSEN, Scene, SceneTenant
from ops.story.teller import StepFailed, Teller, must

CHANGED = 50
KEY = "bulkhead_symbol"
"""The CRM's alternate key."""
_BAD_CERTIFICATES = ("self-signed", "expired", "wrong-host")


async def play(scene: Scene, tell: Teller) -> None:
    """Refusals first, then the real connection, then a change."""
    with tell.step("A CRM over plain HTTP or with a bad certificate is refused") as proved:
        for fact in await _refusals(scene):
            proved(fact)
    with tell.step("Tenant A connects its CRM and chooses five fields") as proved:
        await _connect(scene)
        proved(f"probed before it was saved; may leave: {', '.join(CHOSEN)}")
    with tell.step("Every organisation arrives once, no other field ever leaves") as proved:
        for fact in await first_sync(scene):
            proved(fact)
    with tell.step(f"{CHANGED} organisations change; only these go, only what changed") as proved:
        proved(await _change(scene))


def connection_body(scene: Scene, url: str, key: str = KEY) -> dict[str, Any]:
    """A connection to the CRM at `url`, which also issues its tokens; another one of the tenant
    needs another key column."""
    return bodies.connection(url, scene.crm.credentials(), key, CHOSEN)


async def _refusals(scene: Scene) -> list[str]:
    facts = []
    secret = scene.crm.credentials()["client_secret"]
    plain = scene.crm_url.replace("https://", "http://")
    refused = await _refused(scene, plain, secret)
    facts.append(f"http://: {refused}")
    for kind in _BAD_CERTIFICATES:
        await scene.crm.present(kind)
        try:
            refused = await _refused(scene, scene.crm_url, secret)
        finally:
            await scene.crm.present("valid")
        facts.append(f"{kind} certificate: {refused}")
    must(not (await scene.a.api.get(scene.a.path("connections")))["connections"], "nothing saved")
    return facts


async def _refused(scene: Scene, url: str, secret: str) -> str:
    try:
        await scene.a.api.post(scene.a.path("connections"), connection_body(scene, url))
    except ApiRefused as refused:
        must(secret not in str(refused.problem), "the refusal does not show the secret")
        must(400 <= refused.status < 500, f"{refused} is the caller's to mend")
        return str(refused.problem.get("detail", refused))
    raise StepFailed(f"{url} was accepted")


async def _connect(scene: Scene) -> None:
    scene.mark = await scene.crm.last_request()
    scene.connection = await connect(scene, scene.a)


async def connect(scene: Scene, tenant: SceneTenant) -> str:
    """Connect a tenant to the CRM and choose the five fields; the connection's id."""
    made = await tenant.api.post(tenant.path("connections"), connection_body(scene, scene.crm_url))
    must(scene.crm.credentials()["client_secret"] not in str(made), "the secret is not shown again")
    path = tenant.path(f"field-choices/{made['id']}/organisation")
    await tenant.api.put(path, bodies.field_choice(list(CHOSEN)))
    return str(made["id"])


async def first_sync(scene: Scene) -> list[str]:
    """Wait until all organisations are in the CRM; check rows, repeats and bytes."""
    expected = companies()
    await until("all organisations arrive", lambda: _complete(scene, len(expected)))
    rows = await arrived(scene)
    for company in expected:
        sent = {theirs: company[ours] for ours, theirs in CHOSEN.items()}
        must(sent.items() <= rows[company["symbol"]].items(), f"{company['symbol']} is equal")
    requests = await scene.crm.requests(after=scene.mark)
    addresses = [address for address, _ in writes(requests)]
    must(len(set(addresses)) == len(expected), "each organisation was written")
    allowed = set(CHOSEN.values())
    must(all(set(fields) <= allowed for _, fields in writes(requests)), "only chosen fields")
    text = received_text(requests)
    must("@example.com" not in text, "no person ever leaves")
    must("bulkhead_cik" not in text and "bulkhead_dateadded" not in text, "no other field leaves")
    return [
        f"{len(rows)} accounts equal to the source, {len(addresses)} rows sent",
        f"{len(text):,} recorded bytes hold no other field and no person",
    ]


async def arrived(scene: Scene) -> dict[str, dict[str, Any]]:
    """The companies that are in the CRM, by symbol."""
    symbols = {company["symbol"] for company in companies()}
    rows = await scene.crm.rows("accounts")
    return {row[KEY]: row for row in rows if row[KEY] in symbols}


async def _complete(scene: Scene, count: int) -> bool:
    return len(await arrived(scene)) == count and await settled(scene.a, scene.connection)


async def settled(tenant: SceneTenant, connection: str) -> bool:
    """True when nothing is pending or waiting for a retry."""
    found = await tenant.api.get(tenant.path(f"connections/{connection}"))
    return not any(found["outcomes"].get(state) for state in ("pending", "retry"))


async def _change(scene: Scene) -> str:
    mark = await scene.crm.last_request()
    chosen = companies()[:CHANGED]
    rows = [
        bodies.row(one["symbol"], {"headquarters": f"{one['headquarters']} (moved)"})
        for one in chosen
    ]
    bulk = await scene.a.api.call(
        "POST",
        scene.a.path("records/organisation/bulk"),
        content=ndjson(rows),
        headers={"content-type": "application/x-ndjson"},
    )
    must(bulk["updated"] == CHANGED, "the organisations were updated")
    await until("the changes arrive", lambda: _moved(scene))
    sent = writes(await scene.crm.requests(after=mark))
    must(len(sent) == CHANGED, f"{CHANGED} rows were sent, not {len(sent)}")
    only = all(set(fields) == {CHOSEN["headquarters"]} for _, fields in sent)
    must(only, "only the changed field was sent")
    return f"{len(sent)} rows with one column each were sent"


async def _moved(scene: Scene) -> bool:
    places = [str(row.get(CHOSEN["headquarters"])) for row in (await arrived(scene)).values()]
    moved = sum(place.endswith("(moved)") for place in places)
    return moved == CHANGED and await settled(scene.a, scene.connection)
