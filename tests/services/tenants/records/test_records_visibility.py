"""The policy function and the SQL that is generated from the same grants always agree."""

import json
from dataclasses import asdict
from typing import Any
from uuid import UUID

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from contracts.access import Grants, Person, RecordFacts, Scope, decide
from services.tenants.records import visibility
from services.tenants.records.placeholders import Binds

_IDS = [UUID(int=n) for n in range(1, 5)]
_ids = st.sampled_from(_IDS)
_some = st.frozensets(_ids, max_size=3)
_maybe = st.none() | _ids
_people = st.builds(Person, _ids, _some, _some, _some)
_records = st.builds(RecordFacts, _maybe, _maybe, _maybe, _maybe)
_ROWS = """SELECT r.number FROM jsonb_to_recordset($1::text::jsonb)
    AS r (number int, responsible uuid, second_responsible uuid, team uuid, territory uuid)
    WHERE {condition}"""


async def test_policy_and_filter_agree_on_random_people_records_and_scopes(
    databases: Any, address: Any
) -> None:
    cases: list[tuple[Person, Scope, list[RecordFacts]]] = []

    @settings(
        max_examples=50,
        deadline=None,
        database=None,
        suppress_health_check=list(HealthCheck),
    )
    @given(_people, st.lists(_records, min_size=1, max_size=20))
    def collect(person: Person, records: list[RecordFacts]) -> None:
        cases.extend((person, scope, records) for scope in Scope)

    collect()
    async with databases.read(address.tenant) as session:
        for person, scope, records in cases:
            binds = Binds(_as_json(records))
            condition = visibility.where(scope, person, binds)
            rows = await session.fetch(_ROWS.format(condition=condition), *binds.values)
            grants = Grants(("organisation.view",), {"organisation.view": scope})
            allowed = {
                number
                for number, facts in enumerate(records, start=1)
                if decide(grants, "organisation.view", person, facts).allowed
            }
            assert {row["number"] for row in rows} == allowed, (person, scope, records)


async def test_lists_and_single_reads_show_the_same_records(api: Any) -> None:
    mine, other = api.as_user().user, api.as_user().user
    made = [
        await api.create({"name": "a"}, responsible=str(mine)),
        await api.create({"name": "b"}, responsible=str(other), second_responsible=str(mine)),
        await api.create({"name": "c"}, responsible=str(other)),
        await api.create({"name": "d"}, responsible=None),
    ]
    for scope, expected in [
        (Scope.OWN, 1), (Scope.OWN2, 2), (Scope.TEAM, 2), (Scope.ALL, 4)
    ]:  # fmt: skip
        me = api.as_user(mine, organisation_view=scope)
        listed = {row["id"] for row in await me.listed()}
        answers = [await me.call("GET", f"/records/organisation/{r['id']}") for r in made]
        read = {answer.json()["id"] for answer in answers if answer.status_code == 200}
        assert listed == read
        assert len(read) == expected


def _as_json(records: list[RecordFacts]) -> str:
    rows = [
        {name: str(value) for name, value in asdict(one).items() if value} | {"number": number}
        for number, one in enumerate(records, start=1)
    ]
    return json.dumps(rows)
