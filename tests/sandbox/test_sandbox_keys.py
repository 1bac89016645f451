import pytest

from sandbox.dataverse.collation import folded
from tests.sandbox.conftest import Crm, error

SAME = [
    ("kq-1", "KQ-1"),
    ("Zoë", "ZOE"),
    ("Zoë", "zoe\u0308"),
    ("Håkan", "hakan"),
    ("a", "a  "),
    ("ＡＢＣ１", "abc1"),
    ("Straße", "STRASSE"),
    ("Æsop", "aesop"),
    ("Œuvre", "oeuvre"),
    ("ﬁn", "fin"),
    ("Łódź", "lodz"),
    ("Øre", "ore"),
    ("カナ", "かな"),
    ("İ", "i"),
    ("ı", "I"),
    ("x²", "x2"),
    ("soft\u00adhyphen", "softhyphen"),
    ("zero\u200bwidth", "zerowidth"),
    ("a\u3000", "a"),
]
DIFFERENT = [("a", " a"), ("a-b", "ab"), ("a b", "ab"), ("1", "l"), ("o", "0"), ("a.", "a")]


@pytest.mark.parametrize(("left", "right"), SAME)
async def test_keys_that_the_database_takes_for_the_same_name_one_row(
    crm: Crm, left: str, right: str
) -> None:
    for key in (left, right):
        path = f"accounts(bulkhead_symbol='{key}')"
        assert (await crm.send("PATCH", path, {"name": "n"})).status_code == 204
    (row,) = crm.sim.rows("accounts")
    assert row["bulkhead_symbol"] == left
    body = {"bulkhead_symbol": right}
    assert error(await crm.send("POST", "accounts", body))[:2] == (412, "0x80060892")


@pytest.mark.parametrize(("left", "right"), DIFFERENT)
def test_other_texts_stay_apart(left: str, right: str) -> None:
    assert folded(left) != folded(right)


@pytest.mark.parametrize(("left", "right"), SAME)
def test_folding_twice_is_folding_once(left: str, right: str) -> None:
    assert folded(folded(left)) == folded(left) == folded(right)


@pytest.mark.parametrize("key", ["k" * 39, "\U0001f600" * 11])
async def test_a_key_longer_than_its_column_is_refused_wherever_it_stands(
    crm: Crm, key: str
) -> None:
    path = f"accounts(bulkhead_symbol='{key}')"
    bulk = {"@odata.type": "Microsoft.Dynamics.CRM.account", "@odata.id": path, "name": "n"}
    refused = [
        await crm.send("PATCH", path, {"name": "n"}),
        await crm.send("POST", "accounts", {"bulkhead_symbol": key}),
        await crm.send(
            "POST", "accounts/Microsoft.Dynamics.CRM.UpsertMultiple", {"Targets": [bulk]}
        ),
    ]
    assert [error(answer)[:2] for answer in refused] == [(400, "0x80044331")] * 3
    assert "maximum allowed length of '20'" in error(refused[0])[2]
    assert crm.sim.rows("accounts") == []
    assert (await crm.send("GET", path)).status_code == 404


async def test_an_update_by_id_may_change_the_key_and_meets_the_key_of_another(crm: Crm) -> None:
    for key in ("one", "two"):
        await crm.send("PATCH", f"accounts(bulkhead_symbol='{key}')", {"name": key})
    row_id = crm.sim.rows("accounts")[0]["accountid"]
    taken = await crm.send("PATCH", f"accounts({row_id})", {"bulkhead_symbol": "TWO "})
    assert error(taken)[:2] == (412, "0x80060892")
    moved = await crm.send("PATCH", f"accounts({row_id})", {"bulkhead_symbol": "three"})
    assert moved.status_code == 204
    assert (await crm.send("GET", "accounts(bulkhead_symbol='one')")).status_code == 404
    found = (await crm.send("GET", "accounts(bulkhead_symbol='THREE')")).json()
    assert (found["accountid"], found["name"]) == (row_id, "one")


async def test_a_key_is_free_again_when_its_row_is_gone_or_has_none(crm: Crm) -> None:
    await crm.send("PATCH", "accounts(bulkhead_symbol='a')", {"name": "n"})
    row_id = crm.sim.rows("accounts")[0]["accountid"]
    await crm.send("PATCH", f"accounts({row_id})", {"bulkhead_symbol": None})
    assert (await crm.send("PATCH", "accounts(bulkhead_symbol='a')", {})).status_code == 204
    assert len(crm.sim.rows("accounts")) == 2
    await crm.send("DELETE", "accounts(bulkhead_symbol='A')")
    assert len(crm.sim.rows("accounts")) == 1


async def test_an_empty_key_is_no_key(crm: Crm) -> None:
    assert (await crm.send("PATCH", "accounts(bulkhead_symbol='')", {})).status_code == 400
