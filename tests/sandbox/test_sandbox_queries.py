import pytest

from tests.sandbox.conftest import Crm, error


@pytest.fixture
async def stocked(crm: Crm) -> Crm:
    for number, name in enumerate(["Ada", "bob", "Cy", "O'Neil"]):
        body = {
            "name": name,
            "numberofemployees": number,
            "bulkhead_dateadded": f"2020-01-0{number + 1}",
        }
        await crm.send("PATCH", f"accounts(bulkhead_symbol='S{number}')", body)
    return crm


@pytest.mark.parametrize(
    ("text", "names"),
    [
        ("bulkhead_symbol eq 'S1'", ["bob"]),
        ("name eq 'BOB'", ["bob"]),
        ("name eq 'O''Neil'", ["O'Neil"]),
        ("numberofemployees ge 2", ["Cy", "O'Neil"]),
        ("numberofemployees gt 0 and not (name eq 'Cy')", ["bob", "O'Neil"]),
        ("name eq 'Ada' or name eq 'Cy'", ["Ada", "Cy"]),
        ("contains(name,'N')", ["O'Neil"]),
        ("startswith(name, 'b')", ["bob"]),
        ("bulkhead_dateadded lt 2020-01-02", ["Ada"]),
        ("accountnumber eq null and numberofemployees le 0", ["Ada"]),
        (
            'Microsoft.Dynamics.CRM.In(PropertyName=\'name\',PropertyValues=["ada","cy"])',
            ["Ada", "Cy"],
        ),
    ],
)
@pytest.mark.parametrize("space", ["%20", "+"])
async def test_filters_select_rows_with_either_form_of_space(
    stocked: Crm, text: str, names: list[str], space: str
) -> None:
    path = f"accounts?$select=name&$filter={text.replace(' ', space)}"
    found = (await stocked.send("GET", path)).json()["value"]
    assert [row["name"] for row in found] == names
    assert set(found[0]) == {"@odata.etag", "accountid", "name"}


@pytest.mark.parametrize("text", ["name", "name eq", "name eq 'x", "name like 'x'", "(name eq 'x'"])
async def test_a_filter_that_cannot_be_read_is_refused(stocked: Crm, text: str) -> None:
    answer = await stocked.send("GET", f"accounts?$filter={text}".replace(" ", "%20"))
    assert answer.status_code == 400


async def test_pages_are_followed_by_next_links_until_none_is_left(stocked: Crm) -> None:
    path: str | None = "accounts?$select=name&$orderby=name%20desc&$count=true"
    names, pages = [], 0
    while path:
        answer = (await stocked.send("GET", path, Prefer="odata.maxpagesize=3")).json()
        names += [row["name"] for row in answer["value"]]
        assert answer["@odata.count"] == 4
        path, pages = answer.get("@odata.nextLink"), pages + 1
    assert (names, pages) == (["O'Neil", "Cy", "bob", "Ada"], 2)


async def test_a_next_link_that_was_rebuilt_does_not_work(stocked: Crm) -> None:
    first = await stocked.send("GET", "accounts?$select=name", Prefer="odata.maxpagesize=3")
    link = first.json()["@odata.nextLink"]
    assert (await stocked.send("GET", link, Prefer="odata.maxpagesize=3")).is_success
    for changed in (link.replace("%3D", "="), link.replace("$select=name&", ""), link + "&x=1"):
        answer = await stocked.send("GET", changed, Prefer="odata.maxpagesize=3")
        assert error(answer)[2] == "Malformed XML in the Paging Cookie"


async def test_top_counts_alone_but_not_with_a_page_size_and_skip_is_refused(stocked: Crm) -> None:
    assert len((await stocked.send("GET", "accounts?$top=2")).json()["value"]) == 2
    paged = await stocked.send("GET", "accounts?$top=2", Prefer="odata.maxpagesize=3")
    assert len(paged.json()["value"]) == 3
    assert (await stocked.send("GET", "accounts?$skip=1")).status_code == 400
    assert (await stocked.send("GET", "accounts/$count")).text == "4"


async def test_metadata_describes_tables_columns_and_keys(crm: Crm) -> None:
    table = (
        await crm.send(
            "GET",
            "EntityDefinitions(LogicalName='account')?$select=EntitySetName,PrimaryIdAttribute"
            "&$expand=Keys($select=KeyAttributes,EntityKeyIndexStatus)",
        )
    ).json()
    assert table["EntitySetName"] == "accounts"
    assert table["Keys"][0]["KeyAttributes"] == ["bulkhead_symbol"]
    assert table["Keys"][0]["EntityKeyIndexStatus"] == "Active"
    strings = await crm.send(
        "GET",
        "EntityDefinitions(LogicalName='account')/Attributes/"
        "Microsoft.Dynamics.CRM.StringAttributeMetadata?$select=LogicalName,MaxLength",
    )
    lengths = {item["LogicalName"]: item["MaxLength"] for item in strings.json()["value"]}
    assert lengths["name"] == 160
    path = "EntityDefinitions(LogicalName='account')/Attributes?$select=LogicalName,MaxLength"
    assert (await crm.send("GET", path)).status_code == 400
    assert (await crm.send("GET", "EntityDefinitions(LogicalName='no')")).status_code == 404


async def test_who_am_i_carries_the_hints_of_the_service(crm: Crm) -> None:
    crm.sim.switches.dop_hint = 7
    answer = await crm.send("GET", "WhoAmI")
    assert answer.json()["UserId"]
    assert answer.headers["x-ms-dop-hint"] == "7"
    assert answer.headers["x-ms-service-request-id"]
    assert int(answer.headers["x-ms-ratelimit-burst-remaining-xrm-requests"]) == 5999
