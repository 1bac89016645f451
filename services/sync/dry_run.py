"""What a push would do, before anything is sent: what would be made, changed, removed and refused.

Nothing of the records leaves but the keys of those that would be written, which the CRM is asked
for; nothing is saved.
"""

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import TypeVar
from uuid import UUID

from contracts.clients import PresentRecord, PresentRecords, TenantsClient
from contracts.ids import ConnectionId, TenantId
from kit.db import Database
from kit.problems import NotFound
from services.sync.connection import Connection, ModuleMapping
from services.sync.crm import Crm, Target, Verdict, connection_of
from services.sync.dry_run_bodies import DryRunModule, DryRunRow, DryRunView, DryRunWanted
from services.sync.environments import Environments
from services.sync.family import parents_first
from services.sync.probes import Probes
from services.sync.problems import CrmProbeFailed
from services.sync.push.difference import difference
from services.sync.push.plan import Removal, key_of, mapped, removal_of, withdrawn
from services.sync.store import connections, outgoing
from services.sync.store.connections import ConnectionRow
from services.sync.store.outgoing import DueRow
from services.sync.tenant_keys import TenantKeys

_Answer = TypeVar("_Answer")
_SHOWN = 20  # rows of each sort
_PAGES = 20  # of the feed, where little is due


@dataclass
class _Sorted:
    """The records of a module by what would become of them."""

    writes: list[DryRunRow] = field(default_factory=list)
    known: set[UUID] = field(default_factory=set)  # whose row in the CRM is known
    removed: list[tuple[UUID, Removal]] = field(default_factory=list)
    refused: list[DryRunRow] = field(default_factory=list)
    unchanged: int = 0


@dataclass(frozen=True)
class DryRuns:
    """Looks as a push would look; of one tenant only a few at once."""

    db: Database
    tenants: TenantsClient
    keyring: TenantKeys
    environments: Environments
    probes: Probes

    async def run(self, tenant: TenantId, id_: ConnectionId, wanted: DryRunWanted) -> DryRunView:
        """Raises NotFound, CrmProbeFailed, TooManyRequests, and what the client raises."""
        async with self.db.read() as session:
            found = await connections.of_tenant(session, tenant, id_)
        if not found:
            raise NotFound
        row, connection = found[0], connection_of(found[0])
        if wanted.module is not None and wanted.module not in connection.modules:
            raise NotFound("the connection has no such module")
        crm = self.environments.of(connection)
        names = [wanted.module] if wanted.module else parents_first(connection.modules)
        async with self.probes.turn(tenant):
            made = [await self._module(row, connection, crm, one, wanted.limit) for one in names]
        return DryRunView(modules=made)

    async def _module(
        self, row: ConnectionRow, connection: Connection, crm: Crm, module: str, limit: int
    ) -> DryRunModule:
        mapping = connection.modules[module]
        target = _told(await crm.target(mapping), module)
        if target.faults:
            return DryRunModule(module=module, faults=list(target.faults))
        due = await self._due(row, connection, module, limit)
        present = await self.tenants.read_records(
            connection.tenant, connection.id, module, list(due)
        )
        hash_key = await self.keyring.hash_key(connection.tenant)
        made = _sort(present.rows, due, mapping, target, hash_key)
        asked = [one.key for one in made.writes if one.record not in made.known]
        there = _told(await crm.find(mapping, asked), module) if asked else {}
        made.removed = _gone(present, due, mapping)
        async with self.db.read() as session:
            shown = [record for record, _ in made.removed[:_SHOWN]]
            keys = await outgoing.keys_of(session, row.id, shown)
        new = {target.same_key(key) for key in asked} - there.keys()
        return _shown(module, made, new, target, keys)

    async def _due(
        self, row: ConnectionRow, connection: Connection, module: str, limit: int
    ) -> dict[UUID, DueRow]:
        """What is due, and where that is little, what has changed and was not read yet."""
        async with self.db.read() as session:
            rows = await outgoing.due(session, row.id, module, None, limit)
        found = {one.record: one for one in rows}
        position, more, pages = row.position, True, 0
        while more and len(found) < limit and pages < _PAGES:
            page = await self.tenants.changes(connection.tenant, row.id, position, limit)
            for one in page.rows:
                if one.module == module and len(found) < limit:
                    found.setdefault(one.id, DueRow(one.id))
            position, more, pages = page.position, page.more, pages + 1
        unread = found.keys() - {one.record for one in rows}
        async with self.db.read() as session:
            known = await outgoing.known(session, row.id, [*unread])
        return found | {one.record: one for one in known}


def _told(answer: _Answer | Verdict, module: str) -> _Answer:
    """What the CRM has answered; CrmProbeFailed where it did not."""
    if isinstance(answer, Verdict):
        raise CrmProbeFailed(answer.reason, step=f"module {module}")
    return answer


def _sort(
    records: Iterable[PresentRecord],
    due: Mapping[UUID, DueRow],
    mapping: ModuleMapping,
    target: Target,
    hash_key: bytes,
) -> _Sorted:
    made = _Sorted()
    for record in records:
        key, row = key_of(record), due[record.id]
        converted = target.convert(mapped(record.fields, mapping))
        if problem := target.key_problem(key) or converted.problem:
            columns = [converted.column] if converted.column else []
            made.refused.append(_row(record, "refuse", columns, problem))
            continue
        is_known = row.crm_id is not None
        values = {**converted.values, **withdrawn(row.sent, record.fields, mapping)}
        found = difference(hash_key, record.id, key, values, row.sent, whole=not is_known)
        if not found.values:
            made.unchanged += 1
            continue
        made.writes.append(_row(record, "change", sorted(found.values)))
        if is_known:
            made.known.add(record.id)
    return made


def _gone(
    present: PresentRecords, due: Mapping[UUID, DueRow], mapping: ModuleMapping
) -> list[tuple[UUID, Removal]]:
    """Records that are not there any more, and how their rows go; one whose row stays is none."""
    there = {one.id for one in present.rows}
    found = [
        (one, removal_of(due[one], mapping, present.chosen)) for one in due if one not in there
    ]
    return [(record, form) for record, form in found if form is not None]


def _row(record: PresentRecord, would: str, columns: Sequence[str], reason: str = "") -> DryRunRow:
    return DryRunRow.model_validate(
        {
            "record": record.id,
            "key": key_of(record),
            "would": would,
            "columns": list(columns),
            "reason": reason,
        }
    )


def _shown(
    module: str, made: _Sorted, new: set[str], target: Target, keys: Mapping[UUID, str]
) -> DryRunModule:
    """Of two records that go into one new row, the push would park one; here both would make it."""
    created = [
        one.model_copy(update={"would": "create"})
        for one in made.writes
        if one.record not in made.known and target.same_key(one.key) in new
    ]
    makers = {one.record for one in created}
    changed = [one for one in made.writes if one.record not in makers]
    removed = [
        DryRunRow(record=record, key=keys[record], would=form, columns=[], reason="")
        for record, form in made.removed[:_SHOWN]
    ]
    forms = Counter(form for _, form in made.removed)
    return DryRunModule(
        module=module,
        create=len(created),
        change=len(changed),
        unchanged=made.unchanged,
        delete=forms["delete"],
        deactivate=forms["deactivate"],
        refuse=len(made.refused),
        rows=[*created[:_SHOWN], *changed[:_SHOWN], *removed, *made.refused[:_SHOWN]],
    )
