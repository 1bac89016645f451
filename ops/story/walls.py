"""Act four: the walls, each tried from the outside."""

from ops.answers import ApiRefused
from ops.api import Api, Login
from ops.story.scene import Scene, new_password
from ops.story.teller import StepFailed, Teller, must

_OUTSIDE = "127.0.0.2"
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
    api = await scene.session(scene.a.login, source=_OUTSIDE)
    refused = await _refused(api, "GET", scene.a.path("records/organisation"))
    must(refused.status == 403, f"answers 403, not {refused.status}")
    return f"403 from {_OUTSIDE}, already at the log-in, while 127.0.0.1 goes on working"


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
