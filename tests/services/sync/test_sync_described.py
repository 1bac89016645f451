"""What has changed in a CRM's tables is found in what it describes, and said in words."""

import json

from tests.services.sync.simulated_crms import SimulatedCrm
from tests.services.sync.typed_crm import alter, mapping, target


async def test_what_changes_in_the_crm_is_said_in_words(simulator: SimulatedCrm) -> None:
    wanted = mapping(
        name="name",
        city="address1_city",
        size="numberofemployees",
        revenue="revenue",
        industry="industrycode",
        silent="donotemail",
        born="bulkhead_dateadded",
        sector="bulkhead_sector",
    )
    before = await target(simulator, wanted)
    stored = json.loads(json.dumps(before.described))
    alter(simulator, "accounts", address1_city=None)
    alter(simulator, "accounts", name={"max_length": 100, "required": "system"})
    alter(simulator, "accounts", numberofemployees={"maximum": 10})
    alter(simulator, "accounts", revenue={"precision": 0})
    some = {"Brokers": 4, "Piracy": 66} | {f"n{number}": 100 + number for number in range(20)}
    alter(simulator, "accounts", industrycode={"options": some})
    alter(simulator, "accounts", donotemail={"read_only": True})
    alter(simulator, "accounts", bulkhead_dateadded={"type": "datetime"})
    alter(simulator, "accounts", bulkhead_sector={"type": "integer", "max_length": None})
    simulator.switches.inactive_keys.append("bulkhead_symbol_key")
    after = await target(simulator, wanted)
    assert after.fingerprint != before.fingerprint
    assert sorted(after.changes_since(stored)) == sorted(
        [
            "the column 'address1_city' is gone",
            "the column 'bulkhead_dateadded' treats times as UserLocal, before DateOnly",
            "the column 'bulkhead_sector' is of another type (Integer, before String)",
            "the column 'bulkhead_symbol' is an alternate key in another state",
            "the column 'donotemail' cannot be written any more",
            "the column 'industrycode' has lost options: 1, 2, 3, 6, 7, 16, 20",
            "the column 'industrycode' has new options: "
            "66, 100, 101, 102, 103, 104, 105, 106, 107, 108 and 21 in all",
            "the column 'name' is required now",
            "the column 'name' takes 100 UTF-16 units, before 160",
            "the column 'numberofemployees' takes another range of numbers",
            "the column 'revenue' takes 0 decimals, before 2",
        ]
    )
    back = sorted(before.changes_since(json.loads(json.dumps(after.described))))
    assert "the column 'address1_city' is there again" in back


async def test_what_does_not_matter_leaves_the_fingerprint(simulator: SimulatedCrm) -> None:
    before = await target(simulator, mapping(name="name"))
    alter(simulator, "accounts", address1_city=None)
    alter(simulator, "accounts", telephone1={"max_length": 1})
    after = await target(simulator, mapping(name="name"))
    assert after.fingerprint == before.fingerprint
    assert after.changes_since(before.described) == []
    wider = await target(simulator, mapping(name="name", sector="bulkhead_sector"))
    assert wider.changes_since(before.described) == []


async def test_the_labels_of_options_matter_and_are_not_stored(simulator: SimulatedCrm) -> None:
    before = await target(simulator, mapping(industry="industrycode"))
    known = simulator.simulation.organisation.schema.tables["accounts"].columns
    options = {f"{label}!": number for label, number in known["industrycode"].options.items()}
    alter(simulator, "accounts", industrycode={"options": options})
    after = await target(simulator, mapping(industry="industrycode"))
    assert list(after.changes_since(before.described)) == [
        "the column 'industrycode' has other labels for its options"
    ]
    assert "Brokers" not in json.dumps(before.described)
