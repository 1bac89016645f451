"""Writes of rows: the bulk actions where the table has them, else one part of a $batch per row."""

from collections.abc import Mapping, Sequence
from dataclasses import replace
from functools import partial
from typing import Any

from kit import clock, strict_json
from services.sync.connection import ModuleMapping
from services.sync.crm.dataverse import replies, verdicts, writes
from services.sync.crm.dataverse.aside import aside
from services.sync.crm.dataverse.environment import FAILURES, Environment, verdict_of
from services.sync.crm.dataverse.keys import is_id, same_key
from services.sync.crm.dataverse.operations import (
    API,
    BATCH,
    FIND_BATCH,
    UPDATE_MULTIPLE,
    UPSERT_MULTIPLE,
    Operation,
)
from services.sync.crm.dataverse.replies import ReplyPart, ReplyUnreadable
from services.sync.crm.dataverse.tables import TableFacts
from services.sync.crm.port import RowWrite, Sent
from services.sync.crm.verdict import Meaning, Verdict
from services.sync.egress import Reply

_FEWEST_IN_BULK = 8  # fewer are told of one by one, which costs about the same
_NOT_RUN = Verdict(Meaning.BACK_OFF, "the CRM stopped before this row", code="not-run")
_NOT_FOUND = Verdict(
    Meaning.UNSEEN, "the CRM accepts the row, and does not show it to us", code="not-shown"
)
_JSON = "application/json"


async def write(environment: Environment, mapping: ModuleMapping, rows: Sequence[RowWrite]) -> Sent:
    """Send the rows, at most one per key; never raises for what the CRM or the network does."""
    try:
        facts = await environment.facts(mapping)
        forms = {row.form for row in rows}
        sent = None
        if len(rows) >= _FEWEST_IN_BULK and forms == {"new"} and facts.bulk_upsert:
            sent = await _upsert_multiple(environment, mapping, facts, rows)
        elif len(rows) >= _FEWEST_IN_BULK and forms == {"known"} and facts.bulk_update:
            sent = await _update_multiple(environment, mapping, facts, rows)
        return sent or await _batch(environment, mapping, facts, rows)
    except FAILURES as failure:
        return Sent(whole=verdict_of(failure))


async def find(
    environment: Environment, mapping: ModuleMapping, keys: Sequence[str]
) -> Mapping[str, str] | Verdict:
    """The ids of the rows with these keys; a Verdict where the CRM does not tell."""
    try:
        facts = await environment.facts(mapping)
        found = await _find(environment, mapping, facts, keys)
    except FAILURES as failure:
        return verdict_of(failure)
    return _untold(found) if isinstance(found, Verdict) else found


async def keys_of(
    environment: Environment, mapping: ModuleMapping, crm_ids: Sequence[str]
) -> Mapping[str, str] | Verdict:
    """The keys of those of these rows that are there, by id; a Verdict where none tells."""
    try:
        facts = await environment.facts(mapping)
        found = await _look(environment, mapping, facts, facts.primary_id, crm_ids)
    except FAILURES as failure:
        return verdict_of(failure)
    if isinstance(found, Verdict):
        return _untold(found)
    wanted = {id_.lower(): id_ for id_ in crm_ids}
    return {wanted[id_.lower()]: same_key(key or "") for key, id_ in found if id_.lower() in wanted}


def _untold(verdict: Verdict) -> Verdict:
    """A question has no rows that could be asked apart: it is asked again."""
    return (
        replace(verdict, meaning=Meaning.BACK_OFF) if verdict.meaning is Meaning.SPLIT else verdict
    )


async def _upsert_multiple(
    environment: Environment, mapping: ModuleMapping, facts: TableFacts, rows: Sequence[RowWrite]
) -> Sent | None:
    """All or none; it answers nothing, so that a row counts when its id has been read.

    None where the table has lost the action.
    """
    body = writes.upsert_multiple(mapping, facts, rows)
    reply = await _in_bulk(environment, mapping, UPSERT_MULTIPLE, "UpsertMultiple", body, rows)
    hint = _hint(reply)
    if _is_lost(environment, mapping, facts, reply):
        return None
    if reply.status != 204:
        return Sent(whole=_refused(reply), parallel_hint=hint)
    found = await _find(environment, mapping, facts, [row.key for row in rows])
    if isinstance(found, Verdict):
        return Sent(whole=found, parallel_hint=hint)
    ids = [found.get(same_key(row.key)) for row in rows]
    told = [Verdict(Meaning.OK, crm_id=id_) if id_ else _NOT_FOUND for id_ in ids]
    return Sent(rows=told, parallel_hint=hint)


async def _update_multiple(
    environment: Environment, mapping: ModuleMapping, facts: TableFacts, rows: Sequence[RowWrite]
) -> Sent | None:
    body = writes.update_multiple(mapping, facts, rows)
    reply = await _in_bulk(environment, mapping, UPDATE_MULTIPLE, "UpdateMultiple", body, rows)
    if _is_lost(environment, mapping, facts, reply):
        return None
    if reply.status != 204:
        return Sent(whole=_refused(reply), parallel_hint=_hint(reply))
    return Sent(rows=[Verdict(Meaning.OK)] * len(rows), parallel_hint=_hint(reply))


async def _in_bulk(
    environment: Environment,
    mapping: ModuleMapping,
    operation: Operation,
    action: str,
    body: bytes,
    rows: Sequence[RowWrite],
) -> Reply:
    path = f"{API}/{mapping.table}/Microsoft.Dynamics.CRM.{action}"
    call = environment.new_call(
        operation, path, headers={"Content-Type": _JSON}, body=body, table=mapping.table
    )
    return await environment.authorised(replace(call, fields=_fields(rows), rows=len(rows)))


def _is_lost(
    environment: Environment, mapping: ModuleMapping, facts: TableFacts, reply: Reply
) -> bool:
    """Whether the CRM does not know the action: that was learnt a while ago, and is so no more."""
    if not verdicts.is_unknown_path(reply.status, reply.body):
        return False
    plain = replace(facts, bulk_upsert=False, bulk_update=False)
    environment.tables.learn((environment.connection.crm, mapping.table), plain)
    return True


def _refused(reply: Reply) -> Verdict:
    """Of the whole: which of its rows it was is found by sending fewer."""
    return verdicts.of_whole(reply.status, reply.headers, reply.body, clock.now())


async def _batch(
    environment: Environment, mapping: ModuleMapping, facts: TableFacts, rows: Sequence[RowWrite]
) -> Sent:
    content_type, body = writes.batch(mapping, facts, rows)
    reply = await _run_batch(environment, mapping, BATCH, content_type, body, rows)
    return await aside(partial(_sent, rows=rows, primary_id=facts.primary_id), reply)


async def _run_batch(
    environment: Environment,
    mapping: ModuleMapping,
    operation: Operation,
    content_type: str,
    body: bytes,
    rows: Sequence[RowWrite] = (),
) -> Reply:
    headers = {"Content-Type": content_type, "Prefer": "odata.continue-on-error"}
    path = f"{API}/$batch"
    call = environment.new_call(operation, path, headers=headers, body=body, table=mapping.table)
    return await environment.authorised(replace(call, fields=_fields(rows), rows=len(rows)))


def _fields(rows: Sequence[RowWrite]) -> list[str]:
    return sorted({name for row in rows for name in row.values})


def _sent(reply: Reply, rows: Sequence[RowWrite], primary_id: str) -> Sent:
    now, hint = clock.now(), _hint(reply)
    if whole := verdicts.of_batch(reply.status, reply.headers, reply.body, now):
        return Sent(whole=whole, parallel_hint=hint)
    try:
        found = _parts(reply, len(rows))
    except ReplyUnreadable as error:
        return Sent(whole=Verdict(Meaning.BACK_OFF, str(error)), parallel_hint=hint)
    told = [
        _told(
            verdicts.of_row(part.status, part.headers, part.body, now, row.form), part, primary_id
        )
        for part, row in zip(found, rows, strict=False)
    ]
    return Sent(rows=told + [_NOT_RUN] * (len(rows) - len(told)), parallel_hint=hint)


def _told(verdict: Verdict, part: ReplyPart, primary_id: str) -> Verdict:
    """With the id, where the row was accepted and the answer shows it."""
    if verdict.meaning is not Meaning.OK or not part.body:
        return verdict
    id_ = _object(part.body).get(primary_id)
    return replace(verdict, crm_id=id_) if is_id(id_) else verdict


async def _find(
    environment: Environment, mapping: ModuleMapping, facts: TableFacts, keys: Sequence[str]
) -> Mapping[str, str] | Verdict:
    """By the form of the key in which equal ones are equal."""
    found = await _look(environment, mapping, facts, mapping.key_attribute, keys)
    if isinstance(found, Verdict):
        return found
    return {same_key(key): id_ for key, id_ in found if key is not None}


async def _look(
    environment: Environment,
    mapping: ModuleMapping,
    facts: TableFacts,
    column: str,
    values: Sequence[str],
) -> list[tuple[str | None, str]] | Verdict:
    """Key and id of each row that has one of these values in this column."""
    content_type, body, count = writes.finding(mapping, facts, column, values)
    # they leave here as well: the ledger says so
    named = [RowWrite("known", value, {column: value}) for value in values]
    reply = await _run_batch(environment, mapping, FIND_BATCH, content_type, body, named)
    return await aside(partial(_found, mapping=mapping, facts=facts, count=count), reply)


def _found(
    reply: Reply, mapping: ModuleMapping, facts: TableFacts, count: int
) -> list[tuple[str | None, str]] | Verdict:
    now = clock.now()
    if whole := verdicts.of_batch(reply.status, reply.headers, reply.body, now):
        return whole
    try:
        parts = _parts(reply, count)
    except ReplyUnreadable as error:
        return Verdict(Meaning.BACK_OFF, str(error))
    found = list[tuple[str | None, str]]()
    for part in parts:
        if part.status != 200:
            return verdicts.of_whole(part.status, part.headers, part.body, now)
        for row in _entries(part.body):
            key, id_ = row.get(mapping.key_attribute), row.get(facts.primary_id)
            if is_id(id_):
                found.append((key if isinstance(key, str) else None, id_))
    return found if len(parts) == count else _NOT_RUN


def _parts(reply: Reply, expected: int) -> list[ReplyPart]:
    return replies.parts(reply.headers.get("content-type", ""), reply.body, expected)


def _entries(body: bytes) -> list[dict[str, Any]]:
    entries = _object(body).get("value")
    return [each for each in entries if isinstance(each, dict)] if isinstance(entries, list) else []


def _object(body: bytes) -> dict[str, Any]:
    try:
        document = strict_json.loads(body)
    except ValueError:
        return {}
    return document if isinstance(document, dict) else {}


def _hint(reply: Reply) -> int | None:
    hint = reply.headers.get("x-ms-dop-hint", "")
    return int(hint) if hint.isascii() and hint.isdigit() and len(hint) < 4 else None
