"""Act four: the walls, each tried from the outside."""

from ops import bodies
from ops.answers import ApiRefused
from ops.api import Api, Login
from ops.story.scene import Scene, new_password
from ops.story.teller import StepFailed, Teller, must

_ELSEWHERE = "192.0.2.0/24"
"""A range that is kept for documentation: nobody calls from it."""
_FAULTY_LOGINS = 3


async def play(scene: Scene, tell: Teller) -> None:
    """Another tenant's token, an address outside the list, one faulty login too many."""
    with tell.step("Tenant B's token on tenant A's data") as proved:
        proved(await _foreign_token(scene))
    with tell.step("A call from an address outside the allowlist") as proved:
        proved(await _outside(scene))
    with tell.step("The fourth faulty login in a row") as proved:
        proved(await _locked(scene))


async def _foreign_token(scene: Scene) -> str:
    record = (await scene.a.records("organisation"))[0]["id"]
    for path in ("records/organisation", f"records/organisation/{record}", "connections"):
        refused = await _refused(scene.b.api, "GET", scene.a.path(path))
        must(refused.status == 404, f"{path} answers 404, not {refused.status}")
    return "404 for lists, records and connections alike: as if there were nothing"


async def _outside(scene: Scene) -> str:
    if scene.callers.outside is None:
        return await _list_of_others(scene)
    api = await scene.session(scene.a.login, source=scene.callers.outside)
    await _is_kept_out(scene, api)
    return f"403 from {scene.callers.outside}, already at the log-in, while 127.0.0.1 goes on"


async def _list_of_others(scene: Scene) -> str:
    """Every call has the same address here, so it is the list that names others for a moment."""
    path = f"/v1/allowlists/{scene.a.id}"
    await scene.operator.put(path, bodies.allowlist([_ELSEWHERE]))
    try:
        await _is_kept_out(scene, await scene.session(scene.a.login))
    finally:
        await scene.operator.put(path, bodies.allowlist(scene.callers.ranges))
    await scene.a.api.get(scene.a.path("records/organisation"), limit=1)
    return f"403 while the list names {_ELSEWHERE}, already at the log-in; and in again after"


async def _is_kept_out(scene: Scene, api: Api) -> None:
    refused = await _refused(api, "GET", scene.a.path("records/organisation"))
    must(refused.status == 403, f"answers 403, not {refused.status}")


async def _locked(scene: Scene) -> str:
    """Uses an account of its own, so that the story's people can go on."""
    login = Login("forgetful@b.example.com", new_password(), scene.b.id)
    invitation = await scene.b.invite(login.email, level=25)
    await (await scene.session(login)).accept(invitation)
    wrong = await scene.session(Login(login.email, new_password(), scene.b.id))
    for _ in range(_FAULTY_LOGINS):
        must((await _refused_login(wrong)).status == 401, "a faulty login is a 401")
    refused = await _refused_login(wrong)
    right = await _refused_login(await scene.session(login))
    must(right.status == 429, "even the right password is blocked now")
    must(refused.status in {401, 429}, "the fourth faulty login is refused")
    return "blocked; even the right password waits now"


async def _refused_login(api: Api) -> ApiRefused:
    try:
        await api.log_in()
    except ApiRefused as refused:
        return refused
    raise StepFailed("the log-in succeeded")


async def _refused(api: Api, method: str, path: str) -> ApiRefused:
    try:
        await api.call(method, path)
    except ApiRefused as refused:
        return refused
    raise StepFailed(f"{method} {path} succeeded")
