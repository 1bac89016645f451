"""Single records: what a person may read, create, change and delete, and how versions guard it.

A record that the person may not view is not found, whatever else they may do to it.
"""

from collections.abc import Mapping
from dataclasses import replace
from typing import Any
from uuid import UUID

from contracts.access import Person, RecordFacts, decide
from contracts.credentials import Actor
from contracts.ids import TenantId, new_id
from kit.http import Versions
from kit.problems import Conflict, NotFound, NotPermitted, PreconditionFailed
from services.tenants.records import modules, refusals
from services.tenants.records.modules import Module
from services.tenants.records.store import modules as module_store
from services.tenants.records.store import records as store
from services.tenants.records.store.records import Locked, StoredRecord
from services.tenants.schemas import NewRecord, RecordChange
from tenantdb import TenantDatabases, TenantSession

_FACTS = ("responsible", "second_responsible", "team", "territory")


async def load_module(session: TenantSession, name: str) -> Module:
    """The definition of a module of this tenant, or NotFound."""
    module = await module_store.load(session, name)
    if module is None:
        raise NotFound
    return module


async def read(
    databases: TenantDatabases, tenant: TenantId, actor: Actor, module: str, record: UUID
) -> StoredRecord:
    found = await store.get(databases, tenant, module, record)
    if found is None or not _may(actor, f"{module}.view", found.facts):
        raise NotFound
    return found


async def create(session: TenantSession, actor: Actor, name: str, new: NewRecord) -> StoredRecord:
    module = await load_module(session, name)
    key, fields = modules.with_key(module, new.key, new.fields)
    _check(module, key, fields, is_partial=False)
    facts = RecordFacts(**{fact: getattr(new, fact) for fact in _FACTS})
    if "responsible" not in new.model_fields_set:
        facts = replace(facts, responsible=actor.user)
    if facts.responsible != actor.user:
        _require(actor, f"{name}.assign", None)
    _require(actor, f"{name}.create", facts)
    try:
        return await store.insert(session, new_id(), name, key, _present(fields), facts)
    except store.KeyTaken:
        raise _key_taken() from None


async def change(
    session: TenantSession,
    actor: Actor,
    name: str,
    record: UUID,
    versions: Versions,
    wanted: RecordChange,
) -> StoredRecord:
    """Apply what is named; a change that changes nothing keeps the version."""
    module = await load_module(session, name)
    locked = await _locked(session, actor, name, record, "edit", versions)
    key, fields = _merged(module, locked, wanted)
    facts = replace(
        locked.stored.facts,
        **{fact: getattr(wanted, fact) for fact in _FACTS if fact in wanted.model_fields_set},
    )
    if facts != locked.stored.facts:
        _require(actor, f"{name}.assign", locked.stored.facts)
    if (key, fields, facts) == (locked.key, locked.fields, locked.stored.facts):
        return locked.stored
    try:
        return await store.update(session, record, key, fields, facts)
    except store.KeyTaken:
        raise _key_taken() from None


async def delete(
    session: TenantSession, actor: Actor, name: str, record: UUID, versions: Versions
) -> None:
    await _locked(session, actor, name, record, "delete", versions)
    await store.delete(session, record)


async def _locked(
    session: TenantSession,
    actor: Actor,
    module: str,
    record: UUID,
    action: str,
    versions: Versions,
) -> Locked:
    """The record, locked: visible (404), within the action's scope (403), as expected (412)."""
    locked = await store.lock(session, module, record)
    if locked is None or not _may(actor, f"{module}.view", locked.stored.facts):
        raise NotFound
    _require(actor, f"{module}.{action}", locked.stored.facts)
    if not versions.hold(locked.stored.etag):
        raise PreconditionFailed
    return locked


def _merged(
    module: Module, locked: Locked, wanted: RecordChange
) -> tuple[str | None, dict[str, Any]]:
    """Key and fields after the change; key and key field stay one value."""
    key, changes = modules.with_key(module, wanted.key, wanted.fields)
    names_key = "key" in wanted.model_fields_set
    if module.key_field is not None and names_key:
        changes.setdefault(module.key_field, None)
    _check(module, key, changes, is_partial=True)
    fields = _present({**locked.fields, **changes})
    if module.key_field is not None:
        return fields.get(module.key_field), fields
    return (wanted.key if names_key else locked.key), fields


def _check(module: Module, key: object, fields: Mapping[str, object], *, is_partial: bool) -> None:
    faults = modules.check_record(module, key, fields, is_partial=is_partial)
    if faults:
        refusals.refuse(faults)


def _present(fields: Mapping[str, Any]) -> dict[str, Any]:
    """Null means no value, so it is not kept."""
    return {name: value for name, value in fields.items() if value is not None}


def _may(actor: Actor, permission: str, facts: RecordFacts | None) -> bool:
    return decide(actor.grants, permission, Person(actor.user), facts).allowed


def _require(actor: Actor, permission: str, facts: RecordFacts | None) -> None:
    if not _may(actor, permission, facts):
        raise NotPermitted(f"needs {permission} for this record")


def _key_taken() -> Conflict:
    return Conflict("another record of this module has this key", pointer="/key")
