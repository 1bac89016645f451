import json

import pytest

from tests.sandbox.conftest import Crm, error

ABSENT = "00000000-0000-0000-0000-000000000003"


async def test_a_post_answers_204_with_the_address_or_201_with_the_row(crm: Crm) -> None:
    plain = await crm.send("POST", "accounts", {"name": "Acme"})
    assert plain.status_code == 204
    assert plain.headers["odata-entityid"].startswith(f"{crm.sim.url}/api/data/v9.2/accounts(")
    shown = await crm.send(
        "POST", "accounts?$select=name", {"name": "Beta"}, Prefer="return=representation"
    )
    assert shown.status_code == 201
    assert shown.json()["name"] == "Beta"
    assert "accountid" in shown.json()


async def test_an_upsert_by_key_answers_204_and_echoes_the_key_not_the_id(crm: Crm) -> None:
    for name in ("Created", "Updated"):
        answer = await crm.send("PATCH", "accounts(bulkhead_symbol='A''B')", {"name": name})
        assert answer.status_code == 204
        assert answer.headers["odata-entityid"].endswith("accounts(bulkhead_symbol='A''B')")
    (row,) = crm.sim.rows("accounts")
    assert (row["bulkhead_symbol"], row["name"]) == ("A'B", "Updated")


async def test_a_representation_tells_created_from_updated(crm: Crm) -> None:
    codes = [
        (
            await crm.send(
                "PATCH",
                "accounts(bulkhead_symbol='A')?$select=accountid",
                {"name": "n"},
                Prefer="return=representation",
            )
        ).status_code
        for _ in range(2)
    ]
    assert codes == [201, 200]


async def test_on_create_the_body_wins_over_the_key_and_on_update_it_is_dropped(crm: Crm) -> None:
    await crm.send("PATCH", "accounts(bulkhead_symbol='A')", {"bulkhead_symbol": "B"})
    assert [row["bulkhead_symbol"] for row in crm.sim.rows("accounts")] == ["B"]
    await crm.send("PATCH", "accounts(bulkhead_symbol='B')", {"bulkhead_symbol": "C", "name": "n"})
    (row,) = crm.sim.rows("accounts")
    assert (row["bulkhead_symbol"], row["name"]) == ("B", "n")


async def test_if_match_star_updates_only_and_if_none_match_star_creates_only(crm: Crm) -> None:
    missing = await crm.send("PATCH", f"accounts({ABSENT})", {"name": "n"}, If_Match="*")
    assert error(missing) == (404, "0x80040217", f"account With Id = {ABSENT} Does Not Exist")
    by_key = await crm.send("PATCH", "accounts(bulkhead_symbol='A')", {}, If_Match="*")
    assert error(by_key)[:2] == (404, "0x80060891")
    assert (await crm.send("PATCH", f"accounts({ABSENT})", {}, If_None_Match="*")).is_success
    again = await crm.send("PATCH", f"accounts({ABSENT})", {}, If_None_Match="*")
    assert error(again) == (412, "", "A record with matching key values already exists.")


async def test_a_stale_etag_is_412_and_the_row_stays(crm: Crm) -> None:
    await crm.send("PATCH", f"accounts({ABSENT})", {"name": "one"})
    etag = (await crm.send("GET", f"accounts({ABSENT})")).json()["@odata.etag"]
    assert (await crm.send("GET", f"accounts({ABSENT})", If_None_Match=etag)).status_code == 304
    assert (await crm.send("PATCH", f"accounts({ABSENT})", {"name": "2"}, If_Match=etag)).is_success
    for method, body in (("PATCH", {"name": "3"}), ("DELETE", None)):
        stale = await crm.send(method, f"accounts({ABSENT})", body, If_Match=etag)
        assert error(stale)[0] == 412
        assert error(stale)[2].endswith("doesn't match the RowVersion property provided.")
    assert crm.sim.rows("accounts")[0]["name"] == "2"


async def test_a_delete_is_204_then_404(crm: Crm) -> None:
    await crm.send("PATCH", "accounts(bulkhead_symbol='A')", {"name": "n"})
    codes = [
        (await crm.send("DELETE", "accounts(bulkhead_symbol='A')")).status_code for _ in range(2)
    ]
    assert codes == [204, 404]


async def test_one_column_is_set_and_cleared(crm: Crm) -> None:
    await crm.send("PATCH", f"accounts({ABSENT})", {"name": "n"})
    await crm.send("PUT", f"accounts({ABSENT})/telephone1", {"value": "1"})
    assert (await crm.send("GET", f"accounts({ABSENT})/telephone1")).json() == {"value": "1"}
    await crm.send("DELETE", f"accounts({ABSENT})/telephone1")
    assert (await crm.send("GET", f"accounts({ABSENT})/telephone1")).status_code == 204


async def test_a_second_row_with_the_same_key_is_412_also_in_other_case(crm: Crm) -> None:
    await crm.send("POST", "accounts", {"bulkhead_symbol": "aapl"})
    twice = await crm.send("POST", "accounts", {"bulkhead_symbol": "AAPL"})
    assert error(twice)[:2] == (412, "0x80060892")
    other = await crm.send(
        "POST", "accounts", {"bulkhead_symbol": "MSFT"}, Prefer="return=representation"
    )
    path = f"accounts({other.json()['accountid']})"
    assert error(await crm.send("PATCH", path, {"bulkhead_symbol": "aapl"}))[0] == 412


@pytest.mark.parametrize("character", "/<>*%&:\\?+")
async def test_a_key_value_with_a_forbidden_character_fails(crm: Crm, character: str) -> None:
    encoded = f"%{ord(character):02X}"
    answer = await crm.send("PATCH", f"accounts(bulkhead_symbol='a{encoded}b')", {"name": "n"})
    assert answer.status_code == 400
    assert crm.sim.rows("accounts") == []


async def test_an_unknown_or_inactive_key_is_not_valid(crm: Crm) -> None:
    text = "The key in the request URI is not valid for resource 'Microsoft.Dynamics.CRM.account'"
    for path in ("accounts(name='n')", "accounts(bulkhead_symbol='a',name='n')"):
        status, _, message = error(await crm.send("PATCH", path, {}))
        assert status == 400
        assert message.startswith(text)
    crm.sim.switches.inactive_keys.append("bulkhead_symbol_key")
    answer = await crm.send("PATCH", "accounts(bulkhead_symbol='a')", {})
    assert error(answer)[2].startswith(text)


async def test_names_are_case_sensitive(crm: Crm) -> None:
    unknown = await crm.send("GET", "Account")
    assert error(unknown) == (
        404,
        "0x8006088a",
        "Resource not found for the segment 'Account'.",
    )
    for path in ("accounts?$select=Name", "accounts?$filter=Name eq 'x'"):
        status, code, message = error(await crm.send("GET", path))
        assert (status, code) == (400, "0x0")
        assert message.startswith("Could not find a property named 'Name'")
    written = await crm.send("POST", "accounts", {"Name": "n"})
    assert error(written)[:2] == (400, "0x0")


@pytest.mark.parametrize(
    ("body", "status", "code"),
    [
        ({"name": "x" * 161}, 400, "0x80044331"),
        ({"name": 7}, 400, "0x80048d19"),
        ({"websiteurl": "https://é.example"}, 400, "0x80048d19"),
        ({"numberofemployees": "7"}, 400, "0x80048d19"),
        ({"numberofemployees": True}, 400, "0x80048d19"),
        ({"numberofemployees": -1}, 400, "0x80044331"),
        ({"industrycode": 999}, 400, "0x8004431a"),
        ({"bulkhead_dateadded": "2024-02-30"}, 400, "0x80048d19"),
        ({"bulkhead_dateadded": "2024-02-03T00:00:00Z"}, 400, "0x80048d19"),
        ({"donotemail": 1}, 400, "0x80048d19"),
        ({"nosuchcolumn": "x"}, 400, "0x0"),
    ],
)
async def test_a_value_that_does_not_fit_its_column_is_refused(
    crm: Crm, body: dict[str, object], status: int, code: str
) -> None:
    answer = await crm.send("PATCH", "accounts(bulkhead_symbol='A')", body)
    assert error(answer)[:2] == (status, code)
    assert crm.sim.rows("accounts") == []


async def test_the_length_refusal_has_the_documented_text(crm: Crm) -> None:
    answer = await crm.send("POST", "accounts", {"accountnumber": "x" * 21})
    assert error(answer)[2] == (
        "A validation error occurred.  The length of the 'accountnumber' attribute of the 'account'"
        " entity exceeded the maximum allowed length of '20'."
    )


async def test_decimals_are_rounded_and_read_only_columns_ignored_or_refused(crm: Crm) -> None:
    body = {"revenue": 1.005, "createdon": "1999-01-01T00:00:00Z"}
    answer = await crm.send("POST", "accounts", body, Prefer="return=representation")
    assert not answer.json()["createdon"].startswith("1999")
    assert answer.json()["revenue"] == pytest.approx(1.0, abs=0.011)
    crm.sim.switches.read_only = "refuse"
    assert (await crm.send("POST", "accounts", body)).status_code == 400


async def test_a_lookup_is_bound_by_id_or_key_and_cleared_with_null(crm: Crm) -> None:
    await crm.send("PATCH", f"accounts({ABSENT})", {"bulkhead_symbol": "A"})
    for target in (f"accounts({ABSENT})", "/accounts(bulkhead_symbol='A')"):
        bind = {"parentcustomerid_account@odata.bind": target, "lastname": "Doe"}
        assert (await crm.send("PATCH", "contacts(bulkhead_key='k')", bind)).status_code == 204
        shown = (await crm.send("GET", "contacts(bulkhead_key='k')")).json()
        assert shown["_parentcustomerid_value"] == ABSENT
        cleared = {"parentcustomerid_account": None}
        assert (await crm.send("PATCH", "contacts(bulkhead_key='k')", cleared)).status_code == 204
        assert crm.sim.rows("contacts")[0]["parentcustomerid"] is None


@pytest.mark.parametrize(
    ("name", "target", "status", "code"),
    [
        ("parentcustomerid", f"accounts({ABSENT})", 400, "0x80048d19"),
        ("ParentCustomerId_account", f"accounts({ABSENT})", 400, "0x80048d19"),
        ("parentcustomerid_account", f"accounts({ABSENT})", 404, "0x80040217"),
        ("parentcustomerid_account", "accounts(bulkhead_symbol='no')", 404, "0x80060891"),
        ("parentcustomerid_account", f"contacts({ABSENT})", 400, "0x80048d19"),
    ],
)
async def test_a_wrong_bind_is_refused(
    crm: Crm, name: str, target: str, status: int, code: str
) -> None:
    body = {"lastname": "Doe", f"{name}@odata.bind": target}
    answer = await crm.send("PATCH", "contacts(bulkhead_key='k')", body)
    assert error(answer)[:2] == (status, code)


async def test_a_body_that_is_not_a_json_object_is_refused(crm: Crm) -> None:
    for raw in (b"{", b"[]", b"\xff", json.dumps("x").encode()):
        answer = await crm.send("POST", "accounts", raw=raw)
        assert error(answer)[:2] == (400, "0x80048d19")


async def test_a_required_column_of_the_system_may_not_be_null() -> None:
    from sandbox.dataverse import columns, schema, values
    from sandbox.dataverse.refusals import Refusal

    table = schema.load().tables["contacts"]
    column = columns.Column("lastname", "string", required="system")
    with pytest.raises(Refusal, match="lastname cannot be set to NULL"):
        values.checked(table, column, None)


async def test_what_is_not_simulated_is_refused_with_501(crm: Crm) -> None:
    for path in ("accounts?$expand=primarycontactid", "accounts?sql=x", "$metadata"):
        assert (await crm.send("GET", path)).status_code == 501


@pytest.mark.parametrize(
    ("method", "path", "raw"),
    [
        ("POST", "accounts", b'{"name": "\\ud800"}'),
        ("POST", "accounts", b'{"revenue": 1e999}'),
        ("POST", "accounts", b'{"revenue": NaN}'),
        ("POST", "accounts", b'{"numberofemployees": 99999999999999999999}'),
        ("POST", "accounts", b'{"name": {"a": []}}'),
        ("POST", "accounts", b"[" * 100_000),
        ("POST", "accounts", b'{"parentaccountid@odata.bind": 7}'),
        ("POST", "accounts", b'{"primarycontactid@odata.bind": 7}'),
        ("POST", "accounts/Microsoft.Dynamics.CRM.CreateMultiple", b'{"Targets": [7]}'),
        ("POST", "accounts/Microsoft.Dynamics.CRM.UpsertMultiple", b'{"Targets": {}}'),
        ("POST", "BulkDelete", b'{"QuerySet": [{"EntityName": "account"}]}'),
        ("GET", "accounts?$top=x", b""),
        ("GET", "accounts?$filter=Microsoft.Dynamics.CRM.In(PropertyName='name',x)", b""),
        ("GET", "accounts((((", b""),
        ("GET", "accounts('", b""),
        ("GET", "%ff%00", b""),
        ("PATCH", "accounts()", b"{}"),
        ("PUT", "accounts", b"{}"),
    ],
)
async def test_malformed_input_is_refused_and_never_breaks_the_server(
    crm: Crm, method: str, path: str, raw: bytes
) -> None:
    answer = await crm.send(method, path, raw=raw)
    assert 400 <= answer.status_code < 500 or answer.status_code == 501
    assert crm.sim.rows("accounts") == []
