"""Create, upsert, update and delete of one row, step by step as Dataverse documents them."""

import uuid
from collections.abc import Mapping
from typing import Any

from sandbox.dataverse import addresses, refusals, values
from sandbox.dataverse.addresses import RowAddress
from sandbox.dataverse.calls import Call
from sandbox.dataverse.collation import folded
from sandbox.dataverse.columns import Column
from sandbox.dataverse.organisation import Organisation
from sandbox.dataverse.rows import Row, Values
from sandbox.dataverse.schema import Table
from sandbox.dataverse.users import check_privilege


class Writes:
    """Writes to one organisation; every public method is one transaction."""

    def __init__(self, organisation: Organisation, call: Call) -> None:
        self._organisation = organisation
        self._rows = organisation.rows
        self._root = call.root
        self._user = call.user
        self._plug_ins = not call.bypass
        self._rules = call.headers.get("mscrm.suppressduplicatedetection", "").lower() == "false"
        self._by = {"user": call.user, "behalf": call.behalf}

    def find(self, address: RowAddress) -> Row | None:
        if address.row_id:
            return self._rows.get(address.table.set, address.row_id)
        if address.key is None or address.key.name in self._organisation.switches.inactive_keys:
            raise refusals.key_not_valid(address.table)
        return self._rows.find(address.table.set, address.key, address.values)

    def existing(self, address: RowAddress) -> Row:
        row = self.find(address)
        if row is None:
            raise (
                refusals.row_missing(address.table, address.row_id)
                if address.row_id
                else refusals.key_missing(address.table)
            )
        return row

    def create(self, table: Table, body: dict[str, Any]) -> Row:
        with self._rows.transaction():
            return self._insert(table, self.read_body(table, body, creating=True))

    def upsert(
        self,
        address: RowAddress,
        body: dict[str, Any],
        *,
        match: str | None,
        none_match: str | None,
    ) -> tuple[Row, bool]:
        """The row and whether it is new; `match`, `none_match` are If-Match and If-None-Match."""
        with self._rows.transaction():
            row = self.find(address)
            if row is None:
                if match is not None:
                    raise self._missing(address)
                return self._create_at(address, body), True
            if none_match == "*":
                raise refusals.already_exists()
            check_version(row, match)
            return self._update(address, row, body), False

    def update(self, address: RowAddress, row: Row, body: dict[str, Any]) -> Row:
        """Key columns of the address in the body are dropped, as Dataverse does on update."""
        with self._rows.transaction():
            return self._update(address, row, body)

    def delete(self, address: RowAddress, match: str | None = None) -> None:
        with self._rows.transaction():
            row = self.existing(address)
            self._check("Delete", address.table)
            check_version(row, match)
            self._rows.delete(address.table, row)

    def read_body(self, table: Table, body: dict[str, Any], *, creating: bool) -> Values:
        """The columns that a JSON body sets, checked; lookups resolved to ids."""
        changes: Values = {}
        for name, value in body.items():
            if "@" not in name:
                self._read_property(table, name, value, changes, creating=creating)
            elif name.endswith("@odata.bind"):
                column, row_id = self._bound(table, name.removesuffix("@odata.bind"), value)
                if self._is_open(column, creating=creating):
                    changes[column.name] = row_id
        return changes

    def _read_property(
        self, table: Table, name: str, value: Any, changes: Values, *, creating: bool
    ) -> None:
        column = table.properties.get(name)
        if column is not None and column.type != "lookup":
            if self._is_open(column, creating=creating):
                changes[column.name] = values.checked(table, column, value)
        elif name in table.navigations:
            if isinstance(value, dict | list):
                raise refusals.not_simulated("creating related rows in one request")
            if value is not None:
                raise refusals.not_an_object(table, name)
            found = table.navigations[name][0]
            if self._is_open(found, creating=creating):
                changes[found.name] = None
        elif column is None:
            raise refusals.invalid_property(name, table.type_name)
        elif self._organisation.switches.read_only == "refuse":
            raise refusals.not_writable(column.name)

    def _is_open(self, column: Column, *, creating: bool) -> bool:
        if column.may_be_set(creating=creating):
            return True
        if self._organisation.switches.read_only == "refuse" and column.type != "guid":
            raise refusals.not_writable(column.name)
        return False

    def _bound(self, table: Table, name: str, value: Any) -> tuple[Column, str | None]:
        navigation = table.navigations.get(name)
        if navigation is None:
            raise refusals.undeclared_property(name)
        column, target = navigation
        if value is None:
            return column, None
        if not isinstance(value, str):
            raise refusals.bad_payload(table.logical, "Microsoft.OData.ODataException")
        address = addresses.reference(self._organisation.schema, value, self._root)
        if address.table.set != target:
            raise refusals.bad_payload(table.logical, f"'{name}' does not accept '{value}'.")
        self._check("Append", table)
        self._check("AppendTo", address.table)
        return column, self.existing(address).id

    def _update(self, address: RowAddress, row: Row, body: dict[str, Any]) -> Row:
        self._check("Write", address.table)
        changes = self.read_body(address.table, body, creating=False)
        changes.pop(address.table.primary_id, None)
        for name in address.key.columns if address.key else ():
            changes.pop(name, None)
        settle_state(address.table, row.id, row.values, changes)
        self._look_at(address.table, row.id, row.values, changes)
        return self._rows.update(address.table, row, changes, self._by)

    def _create_at(self, address: RowAddress, body: dict[str, Any]) -> Row:
        """Key values come from the address unless the body has them: the body wins."""
        written = {
            **self._key_columns(address),
            **self.read_body(address.table, body, creating=True),
        }
        if address.row_id:
            written[address.table.primary_id] = address.row_id
        if self._organisation.faults.take_race(address.table.set, written):
            with self._rows.apart():
                self._insert(address.table, written)
            raise refusals.already_exists()
        return self._insert(address.table, written)

    def _key_columns(self, address: RowAddress) -> Values:
        """What an address gives to the row it creates is checked as if it stood in the body."""
        table, found = address.table, address.key_values()
        for name, value in found.items():
            column = table.columns[name]
            if column.type != "lookup":
                values.checked(table, column, value)
            elif not self._is_there(column, value):
                raise refusals.row_missing(table, str(value))
        return found

    def _is_there(self, column: Column, row_id: object) -> bool:
        targets = column.targets.values()
        return any(self._rows.get(target, str(row_id)) for target in targets)

    def _insert(self, table: Table, written: Values) -> Row:
        self._check("Create", table)
        for name in table.demanded:
            if written.get(name) is None:
                raise refusals.not_nullable(name)
        row_id = written.pop(table.primary_id, None) or str(uuid.uuid4())
        settle_state(table, row_id, table.defaults, written)
        written = {**table.defaults, **written}
        self._look_at(table, row_id, written, {})
        return self._rows.insert(table, row_id, written, self._by)

    def _look_at(
        self, table: Table, row_id: str, before: Mapping[str, Any], changes: Values
    ) -> None:
        """What a customer's plug-ins and (if the header asks for them) duplicate rules say."""
        organisation = self._organisation
        if self._plug_ins and organisation.faults.are_waiting:
            organisation.faults.check_row(table.set, {**before, **changes})
        columns = organisation.switches.duplicate_rules.get(table.set)
        if not self._rules or not columns:
            return
        written = {**before, **changes}
        mine = [folded(str(written.get(name) or "")) for name in columns]
        for row in self._rows.all(table.set) if all(mine) else ():
            theirs = [folded(str(row.values.get(name) or "")) for name in columns]
            if row.id != row_id and theirs == mine:
                raise refusals.duplicate(organisation.switches.duplicate_status)

    def _check(self, verb: str, table: Table) -> None:
        check_privilege(self._organisation.switches, self._user, verb, table)

    def _missing(self, address: RowAddress) -> refusals.Refusal:
        if address.row_id:
            return refusals.row_missing(address.table, address.row_id)
        return refusals.key_missing(address.table)


def check_version(row: Row, match: str | None) -> None:
    if match is not None and match != "*" and match != row.etag:
        raise refusals.version_mismatch()


def settle_state(table: Table, row_id: str, before: Mapping[str, Any], changes: Values) -> None:
    """A state brings its first status with it; a status of another state is refused."""
    if "statecode" not in changes and "statuscode" not in changes:
        return
    states, statuses = table.columns["statecode"], table.columns["statuscode"]
    state = changes.get("statecode", before.get("statecode"))
    allowed = [statuses.options[label] for label, of in statuses.states.items() if of == state]
    if "statuscode" not in changes and before.get("statuscode") not in allowed:
        changes["statuscode"] = allowed[0]
    elif changes.get("statuscode", allowed[0]) not in allowed:
        name = next((label for label, number in states.options.items() if number == state), "None")
        raise refusals.wrong_status(table, name, changes["statuscode"], row_id)
