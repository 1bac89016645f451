"""Act three: a careless deletion, and one tenant alone comes back from its backup."""

import asyncio
import contextlib
from collections.abc import AsyncIterator

from ops import bodies
from ops.answers import ApiRefused
from ops.api import until
from ops.story.scene import Scene, SceneTenant
from ops.story.teller import StepFailed, Teller, must


async def play(scene: Scene, tell: Teller) -> None:
    """Back up, delete, restore, compare; tenant B reads all the while."""
    with tell.step("Full backup of tenant A, encrypted and verified") as proved:
        proved(await _back_up(scene))
    async with _reading(scene.b) as seen:
        with tell.step("Somebody deletes every organisation of tenant A") as proved:
            proved(await _delete_all(scene.a))
        with tell.step("Tenant A alone is restored: plan first, then execute") as proved:
            for fact in await _restore(scene):
                proved(fact)
    with tell.step("Tenant A is as it was; tenant B never noticed") as proved:
        must(await scene.a.fingerprint() == scene.before["A"], "A is equal by count and hash")
        must(await scene.b.fingerprint() == scene.before["B"], "B is equal by count and hash")
        must(not seen.failures, f"B had no failed read, but {seen.failures}")
        counts = {module: count for module, (count, _) in scene.before["A"].items()}
        proved(f"equal by count and hash: {counts}")
        proved(f"tenant B: {seen.reads} reads meanwhile, none failed, nothing changed")


async def _back_up(scene: Scene) -> str:
    a = scene.a
    scene.before = {letter: await one.fingerprint() for letter, one in scene.tenants.items()}
    started = await a.api.post(a.path("backups"))
    scene.backup = str(started["id"])

    async def finished() -> dict[str, object] | None:
        found: dict[str, object] = await a.api.get(a.path(f"backups/{scene.backup}"))
        must(found["state"] != "failed", f"the backup did not fail: {found.get('reason')}")
        return found if found["state"] == "verified" else None

    found = await until("the backup is verified", finished)
    return f"{int(found['size'] or 0):,} bytes at rest, read back and checked"


async def _delete_all(tenant: SceneTenant) -> str:
    ids = [record["id"] for record in await tenant.records("organisation")]
    path = tenant.path("records/organisation/bulk-delete")
    answer = await tenant.api.post(path, bodies.deletion(ids))
    must(answer["deleted"] == len(ids), "all were deleted")
    must(not await tenant.records("organisation"), "none is left")
    return f"{len(ids)} organisations gone, by a permitted user with a permitted call"


async def _restore(scene: Scene) -> list[str]:
    a = scene.a
    planned = await a.api.post(a.path("restores"), bodies.restore(scene.backup))
    must(planned["state"] == "planned", "nothing happens before it is executed")
    path = a.path(f"restores/{planned['id']}")
    await a.api.post(f"{path}/execute")

    async def finished() -> bool:
        found = await a.api.get(path)
        must(found["state"] != "failed", f"the restore did not fail: {found.get('reason')}")
        return bool(found["state"] == "completed")

    await until("the restore completes", finished)
    return ["the plan named what would change before anything did"]


class _Reads:
    def __init__(self) -> None:
        self.reads, self.failures = 0, list[str]()


@contextlib.asynccontextmanager
async def _reading(tenant: SceneTenant) -> AsyncIterator[_Reads]:
    """Read a tenant's records over and over while the block runs."""
    seen = _Reads()

    async def read() -> None:
        while True:
            try:
                await tenant.api.get(tenant.path("records/organisation"), limit=10)
            except ApiRefused as refused:
                if refused.status != 429:  # the edge's own limit, not a failure
                    seen.failures.append(str(refused))
            seen.reads += 1
            await asyncio.sleep(0.02)

    task = asyncio.create_task(read())
    try:
        yield seen
    finally:
        task.cancel()
        with contextlib.suppress(asyncio.CancelledError):
            await task
        if not seen.reads:
            raise StepFailed("tenant B was never read")
