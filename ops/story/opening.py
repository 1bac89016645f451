"""Act one: two tenants with their own databases, administrators and records."""

from ops import bodies
from ops.answers import ApiRefused
from ops.api import Login
from ops.story.material import companies, companies_csv, persons
from ops.story.scene import Scene, SceneTenant, new_password
from ops.story.teller import Teller, must

PERSONS = 2_000


async def play(scene: Scene, tell: Teller) -> None:
    """Sign up both tenants and fill them."""
    for letter, name in (("A", "Alder Trading"), ("B", "Birch Foods")):
        with tell.step(f"Tenant {letter} ({name}): database, allowlist, administrator") as proved:
            scene.tenants[letter] = await sign_up(scene, letter, name)
            proved("created, invited once, logged in with a password that only argon2id has seen")
    with tell.step("An invitation cannot be used twice") as proved:
        await _closed_doors(scene)
        proved("the second use is refused")
    for letter in scene.tenants:
        tenant = scene.tenants[letter]
        with tell.step(f"{tenant.name} imports its organisations and persons") as proved:
            proved(await _fill(tenant, PERSONS if letter == "A" else PERSONS // 10))


async def sign_up(scene: Scene, letter: str, name: str) -> SceneTenant:
    """A new tenant that may be reached from here, with its administrator's session."""
    created = await scene.operator.post("/v1/tenants", bodies.tenant(name))
    tenant = str(created["id"])
    reachable = bodies.allowlist(scene.callers.ranges)
    await scene.operator.put(f"/v1/allowlists/{tenant}", reachable)
    email = f"admin@{letter.lower()}.example.com"
    body = bodies.invitation_by_operator(email, 80, tenant)
    invited = await scene.operator.post("/v1/invitations", body)
    login = Login(email, new_password(), tenant)
    api = await scene.session(login)
    await api.accept(invited["invitation"])
    me = await api.get("/v1/me")
    must(me["tenant"] == tenant, "the session belongs to the new tenant")
    return SceneTenant(name, tenant, api, login)


async def _closed_doors(scene: Scene) -> None:
    login = Login("second@a.example.com", new_password(), scene.a.id)
    invitation = await scene.a.invite(login.email, level=25)
    second = await scene.session(login)
    await second.accept(invitation)
    try:
        await second.accept(invitation)
    except ApiRefused as refused:
        must(400 <= refused.status < 500, "a used invitation is a client's error")
        return
    must(False, "a used invitation is refused")


async def _fill(tenant: SceneTenant, count: int) -> str:
    imported = await tenant.api.call(
        "POST",
        tenant.path("records/organisation/import"),
        query={"key": "symbol"},
        content=companies_csv(),
        headers={"content-type": "text/csv"},
    )
    must(imported["created"] == len(companies()), "every company was created")
    symbols = [company["symbol"] for company in companies()]
    bulk = await tenant.api.call(
        "POST",
        tenant.path("records/person/bulk"),
        content=persons(count, symbols),
        headers={"content-type": "application/x-ndjson"},
    )
    must(bulk["created"] == count, "every person was created")
    return f"{imported['created']} real companies by CSV, {bulk['created']} persons in one request"
