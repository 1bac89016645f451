"""Which records a person may reach, as SQL: generated from the grants that contracts.access reads.

The promise: for every record, `where` and `contracts.access.decide` give the same answer.
"""

from contracts.access import Grants, Person, Scope
from services.tenants.records.placeholders import Binds


def narrowest(grants: Grants, *permissions: str) -> Scope:
    """The scope in which all permissions hold: scopes include one another, so the smallest."""
    return min(grants[permission] for permission in permissions)


def where(scope: Scope, person: Person, binds: Binds) -> str:
    """A condition on `record r` (NULL counts as false) for the records within the scope."""
    if scope is Scope.ALL:
        return "true"
    if scope is Scope.NONE:
        return "false"
    user = f"{binds.add(person.user)}::uuid"
    reaches = [f"r.responsible = {user}"]
    if scope >= Scope.OWN2:
        reaches.append(f"r.second_responsible = {user}")
    if scope >= Scope.TEAM and person.teams:
        reaches.append(f"r.team = ANY ({binds.add_array(person.teams, 'uuid')})")
    if scope >= Scope.TERRITORY and person.territories:
        reaches.append(f"r.territory = ANY ({binds.add_array(person.territories, 'uuid')})")
    if scope >= Scope.TERRITORY_TREE and person.territory_tree:
        reaches.append(f"r.territory = ANY ({binds.add_array(person.territory_tree, 'uuid')})")
    return f"({' OR '.join(reaches)})"
