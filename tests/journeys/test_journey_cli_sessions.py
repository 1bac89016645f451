"""The command line stays logged in: with the password it is hashed once, and not at every call."""

import asyncio
import json
import stat
from pathlib import Path

import pytest

from ops.answers import ApiRefused
from ops.api import Api, Login
from tests.eventually import eventually
from tests.journeys.shell import Shell

EMAIL, PASSWORD = "second@bulkhead.example", " blanks are part of it "


@pytest.fixture(scope="module")
def operator(suite, stage, tmp_path_factory) -> Shell:
    """For a second operator, whose name may be locked without harm to others."""
    known = json.loads(suite.layout.credentials.read_text())
    file: Path = tmp_path_factory.mktemp("operator") / "credentials.json"
    file.write_text(json.dumps({"url": known["url"], "ca": known["ca"]}))
    file.chmod(0o600)
    return Shell(file)


@pytest.fixture(scope="module")
async def user(operator: Shell, stage) -> str:
    """The id of the second operator, who has joined by command."""
    body = {"tenant": None, "email": EMAIL, "level": 80}
    invited = await stage.operator.post("/v1/invitations", body)
    given = f"{invited['invitation']}\n{PASSWORD}\n"
    accepted = await operator.json("user", "accept", EMAIL, given=given)
    return str(accepted["user"])


@pytest.fixture(scope="module")
def joined(operator: Shell, user: str) -> Shell:
    return operator


def kept(shell: Shell) -> list[str]:
    """The kept refresh tokens."""
    folder = shell.credentials.with_name(".credentials.json.sessions")
    files = [one for one in folder.iterdir() if one.suffix != ".lock"]
    assert folder.stat().st_mode & 0o077 == 0
    assert all(stat.S_IMODE(one.stat().st_mode) == 0o600 for one in folder.iterdir())
    return [json.loads(one.read_text())["refresh_token"] for one in files]


async def lock(suite) -> None:
    """Until even the right password has to wait."""
    wrong = Login(EMAIL, "a wrong password of the right length")
    ca = suite.layout.certificates / "authority.pem"
    async with Api(suite.layout.url, ca, wrong) as api:

        async def is_locked() -> bool:
            with pytest.raises(ApiRefused) as refused:  # or, on a busy machine, not heard at all
                await api.log_in()
            return refused.value.slug == "login-blocked"

        await eventually(is_locked, 60)


async def may_log_in(suite, password: str) -> bool:
    ca = suite.layout.certificates / "authority.pem"
    async with Api(suite.layout.url, ca, Login(EMAIL, password)) as api:
        try:
            await api.log_in()
        except ApiRefused:
            return False
    return True


async def test_the_blanks_of_a_password_are_part_of_it(suite, joined):
    assert json.loads(joined.credentials.read_text())["operator"]["password"] == PASSWORD
    assert await may_log_in(suite, PASSWORD)
    assert not await may_log_in(suite, PASSWORD.strip())


async def test_a_lockout_does_not_stop_who_is_in(suite, joined):
    """With the name locked no log-in succeeds, so whatever works goes on with the session."""
    assert (await joined.json("status"))["as"] == EMAIL
    before = kept(joined)
    await lock(suite)
    assert not await may_log_in(suite, PASSWORD)
    assert (await joined.json("status"))["as"] == EMAIL
    assert kept(joined) != before


async def test_commands_at_once_do_not_end_their_session(joined):
    """Each exchanges the refresh token; to the server two uses of one would be a theft."""
    done = await asyncio.gather(*(joined.run("status") for _ in range(6)))
    assert [one.returncode for one in done] == [0] * 6, [one.stderr for one in done]
    assert (await joined.json("status"))["as"] == EMAIL


async def test_after_logout_there_is_no_session_here_nor_there(suite, joined):
    assert (await joined.json("status"))["as"] == EMAIL
    token = kept(joined)[0]
    assert (await joined.json("logout"))["logged_out"] == [EMAIL]
    assert kept(joined) == []
    ca = suite.layout.certificates / "authority.pem"
    async with Api(suite.layout.url, ca) as api:
        with pytest.raises(ApiRefused) as refused:
            await api.post("/v1/operators/sessions/refresh", {"refresh_token": token})
    assert refused.value.status == 401
    assert (await joined.json("logout"))["logged_out"] == []
    await lock(suite)
    locked = await joined.run("status")
    assert (locked.returncode, "429" in locked.stderr) == (1, True)


async def test_another_operator_unlocks_the_name(suite, joined, user):
    await joined.json("logout")
    await lock(suite)
    assert (await joined.run("status")).returncode == 1
    first = Shell(suite.layout.credentials)
    assert (await first.json("user", "unlock", user))["unlocked"] == user
    assert (await joined.json("status"))["as"] == EMAIL
    unknown = await first.run("user", "unlock", "01890000-0000-7000-8000-000000000000")
    assert (unknown.returncode, "404" in unknown.stderr) == (1, True)
