"""Commands that were cut short are repeated and do what is left; nothing is done by halves."""

import json

import pytest

from tests.journeys.connection_files import written
from tests.journeys.shell import Shell

RANGE = "127.0.0.1/32"


@pytest.fixture(scope="module")
def shell(suite, stage) -> Shell:
    return Shell(suite.layout.credentials)


async def names(shell) -> list[str]:
    return [one["name"] for one in await shell.json("tenant", "list")]


@pytest.mark.parametrize(
    "wrong", [["--allow", "10.0.0.1/8"], ["--allow", RANGE, "--admin", "not an address"]]
)
async def test_a_tenant_with_a_wrong_range_or_address_is_not_made(shell, wrong):
    done = await shell.run("tenant", "create", "Never made", *wrong)
    assert done.returncode == 1
    assert "Never made" not in await names(shell)


async def test_a_tenant_that_stopped_half_made_is_finished_by_the_same_command(shell, stage):
    """Each half that an earlier call can have left, and then all at once again."""
    made = await stage.operator.post("/v1/tenants", {"name": "Half"})
    words = ("tenant", "create", "Half", "--allow", RANGE, "--admin", "a@half.example")
    second = await shell.json(*words)
    assert second["id"] == made["id"]
    assert second["done"] == ["address list set", "administrator invited"]
    third = await shell.json(*words)
    assert third["done"] == ["administrator invited"]
    assert third["invitation"] != second["invitation"]
    assert (await names(shell)).count("Half") == 1


async def test_a_tenant_of_that_name_with_another_list_is_left_alone(shell):
    made = await shell.json("tenant", "create", "Complete", "--allow", RANGE)
    assert made["done"] == ["tenant made", "address list set"]
    done = await shell.run("tenant", "create", "Complete", "--allow", "192.0.2.0/24")
    assert done.returncode == 1
    assert "another address list" in done.stderr
    assert (await shell.json("allowlist", "show", made["id"]))["ranges"] == [RANGE]


async def test_a_name_full_of_markup_is_made_and_shown(shell):
    """Square brackets are markup to some; here they are a firm's name."""
    made = await shell.json(
        "tenant", "create", "Firm [/] Ltd", "--allow", RANGE, "--admin", "a@f.example"
    )
    assert made["invitation"]
    shown = await shell.run("tenant", "list", output="table")
    assert shown.returncode == 0, shown.stderr
    assert "Firm [/] Ltd" in shown.stdout


@pytest.fixture(scope="module")
async def joined(shell) -> str:
    words = ("tenant", "create", "Repeats", "--allow", RANGE, "--admin", "a@repeats.example")
    made = await shell.json(*words)
    await shell.json(
        *("user", "accept", "a@repeats.example", "--tenant", made["id"], "--name", "Repeats"),
        *("--generate",),
        given=made["invitation"] + "\n",
    )
    return str(made["id"])


async def test_a_connection_with_a_wrong_choice_is_not_saved_and_a_half_one_is_finished(
    shell, joined, stage, tmp_path
):
    async def added(**choose: list[str]):
        words = written(tmp_path, stage, choose=choose)
        return await shell.run("connection", "add", *words, "--tenant", "Repeats")

    unmapped = {"person": ["email"]}
    for wrong in ({"organisation": ["nmae"]}, {"organization": ["name"]}, unmapped):
        done = await added(**wrong)
        assert done.returncode == 1
        assert "nothing was done" in done.stderr
    assert await shell.json("connection", "list", "--tenant", "Repeats") == []
    half = json.loads((await added()).stdout)
    assert half["done"] == ["connection saved"]
    whole = json.loads((await added(organisation=["name"])).stdout)
    assert (whole["id"], whole["done"]) == (half["id"], ["fields of organisation chosen"])
    again = json.loads((await added(organisation=["name"])).stdout)
    assert (again["id"], again["done"]) == (half["id"], [])
    other = await added(organisation=["sector"])
    assert other.returncode == 1
    assert "another choice" in other.stderr
