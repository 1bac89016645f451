"""What a client learns of columns, keys and relationships before it sends anything."""

from typing import Any

import pytest

from tests.sandbox.conftest import Crm

ACCOUNT = "EntityDefinitions(LogicalName='account')"
CRM = "Microsoft.Dynamics.CRM"


async def listed(crm: Crm, path: str) -> dict[str, dict[str, Any]]:
    answer = await crm.send("GET", path)
    assert answer.status_code == 200, answer.text
    return {item["LogicalName"]: item for item in answer.json()["value"]}


async def cast(crm: Crm, kind: str, names: str, expand: str = "") -> dict[str, dict[str, Any]]:
    path = f"{ACCOUNT}/Attributes/{CRM}.{kind}AttributeMetadata?$select=LogicalName,{names}"
    return await listed(crm, path + expand)


@pytest.mark.parametrize(
    ("kind", "names", "column", "values"),
    [
        ("String", "MaxLength", "name", [160]),
        ("Memo", "MaxLength", "bulkhead_notes", [10_000]),
        ("Integer", "MinValue,MaxValue", "numberofemployees", [0, 1_000_000_000]),
        ("BigInt", "MinValue,MaxValue", "bulkhead_shares", [-(2**63), 2**63 - 1]),
        ("Decimal", "MinValue,MaxValue,Precision", "bulkhead_score", [-100, 100, 4]),
        ("Double", "Precision", "bulkhead_weight", [5]),
        ("Money", "Precision", "revenue", [2]),
        ("DateTime", "Format,DateTimeBehavior", "bulkhead_dateadded", ["DateOnly", "DateOnly"]),
        (
            "DateTime",
            "Format,DateTimeBehavior",
            "bulkhead_reviewedat",
            ["DateAndTime", "UserLocal"],
        ),
        ("DateTime", "DateTimeBehavior", "bulkhead_closesat", ["TimeZoneIndependent"]),
        ("Lookup", "Targets", "bulkhead_advisor", [["contact"]]),
    ],
)
async def test_each_type_says_its_own_behind_its_cast(
    crm: Crm, kind: str, names: str, column: str, values: list[Any]
) -> None:
    found = (await cast(crm, kind, names))[column]
    plain = [found[name] for name in names.split(",")]
    assert [v["Value"] if isinstance(v, dict) else v for v in plain] == values
    bare = f"{ACCOUNT}/Attributes?$select={names.split(',')[0]}"
    assert (await crm.send("GET", bare)).status_code == 400


@pytest.mark.parametrize(
    ("kind", "column", "first"),
    [
        ("Picklist", "bulkhead_tier", {"Value": 100000000}),
        ("MultiSelectPicklist", "bulkhead_regions", {"Value": 1}),
        ("State", "statecode", {"Value": 0, "InvariantName": "Active"}),
        ("Status", "statuscode", {"Value": 1, "State": 0}),
    ],
)
async def test_choices_come_with_their_labels(
    crm: Crm, kind: str, column: str, first: dict[str, Any]
) -> None:
    expand = "&$expand=OptionSet($select=Options),GlobalOptionSet"
    option = (await cast(crm, kind, "AttributeType", expand))[column]["OptionSet"]["Options"][0]
    assert option.pop("Label")["UserLocalizedLabel"]["Label"] in ("Gold", "Europe", "Active")
    assert option == first


async def test_a_boolean_has_two_options(crm: Crm) -> None:
    found = await cast(crm, "Boolean", "AttributeType", "&$expand=OptionSet")
    options = found["bulkhead_ispublic"]["OptionSet"]
    assert (options["TrueOption"]["Value"], options["FalseOption"]["Value"]) == (1, 0)


async def test_what_may_be_written_and_what_must_be_is_told(crm: Crm) -> None:
    path = "EntityDefinitions(LogicalName='bulkhead_holding')/Attributes?$select=LogicalName,"
    found = await listed(crm, path + "IsValidForCreate,IsValidForUpdate,RequiredLevel")
    pairs = {
        name: (item["IsValidForCreate"], item["IsValidForUpdate"]) for name, item in found.items()
    }
    assert pairs["bulkhead_source"] == (True, False)
    assert pairs["bulkhead_checkedby"] == (False, True)
    assert pairs["createdon"] == (False, False)
    assert pairs["bulkhead_holdingid"] == (True, False)
    assert found["bulkhead_name"]["RequiredLevel"]["Value"] == "SystemRequired"


async def test_types_are_named_as_the_web_api_names_them(crm: Crm) -> None:
    found = await listed(crm, f"{ACCOUNT}/Attributes?$select=LogicalName,AttributeType")
    kinds = {name: item["AttributeType"] for name, item in found.items()}
    assert kinds["bulkhead_regions"] == "Virtual"
    assert kinds["bulkhead_notes"] == "Memo"
    assert kinds["statuscode"] == "Status"
    path = "EntityDefinitions(LogicalName='contact')/Attributes?$select=LogicalName,AttributeType"
    assert (await listed(crm, path))["parentcustomerid"]["AttributeType"] == "Customer"


async def test_lookups_are_bound_by_the_names_that_relationships_tell(crm: Crm) -> None:
    path = f"{ACCOUNT}/ManyToOneRelationships?$select=ReferencingAttribute,ReferencedEntity"
    answer = await crm.send("GET", path + ",ReferencingEntityNavigationPropertyName")
    found = {item["ReferencingAttribute"]: item for item in answer.json()["value"]}
    assert found["bulkhead_advisor"]["ReferencedEntity"] == "contact"
    name = found["bulkhead_advisor"]["ReferencingEntityNavigationPropertyName"]
    assert name == "bulkhead_Advisor"
    expanded = await crm.send(
        "GET", f"{ACCOUNT}?$select=LogicalName&$expand=ManyToOneRelationships"
    )
    assert len(expanded.json()["ManyToOneRelationships"]) == len(answer.json()["value"])


async def test_the_version_of_the_metadata_comes_with_rows_when_asked_for(crm: Crm) -> None:
    name = "@Microsoft.Dynamics.CRM.globalmetadataversion"
    for wanted in ('"*"', '"Microsoft.Dynamics.CRM.globalmetadataversion,x"'):
        preference = f"odata.maxpagesize=1,odata.include-annotations={wanted}"
        answer = await crm.send("GET", "accounts?$select=name", Prefer=preference)
        assert answer.json()[name].isdigit()
    assert name not in (await crm.send("GET", "accounts?$select=name")).json()
