"""Every refusal of the simulated Web API, with the status, code and text that Dataverse gives.

Texts come from Microsoft's documentation or from observed replies; those marked (assumed) have no
public source, so a client must not depend on them.
"""

from collections.abc import Sequence
from datetime import date

from sandbox.dataverse.schema import Key, Table

_PAYLOAD = (
    "Error identified in Payload provided by the user for Entity :'{entity}', For more information "
    "on this error please follow this help link https://go.microsoft.com/fwlink/?linkid=2195293  "
    "---->  InnerException : {inner}"
)


class Refusal(Exception):
    """An OData error reply: HTTP status, code (may be empty, as in Dataverse), message."""

    def __init__(
        self, status: int, code: str, message: str, headers: Sequence[tuple[str, str]] = ()
    ) -> None:
        super().__init__(message)
        self.status = status
        self.code = code
        self.message = message
        self.headers = headers


def not_simulated(what: str) -> Refusal:
    return Refusal(501, "", f"The sandbox does not simulate {what}.")


def unknown_segment(name: str) -> Refusal:
    return Refusal(404, "0x8006088a", f"Resource not found for the segment '{name}'.")


def method_not_allowed(method: str) -> Refusal:
    return Refusal(405, "", f"The requested resource does not support http method '{method}'.")


def unknown_property(name: str, type_name: str) -> Refusal:
    return Refusal(400, "0x0", f"Could not find a property named '{name}' on type '{type_name}'.")


def invalid_property(name: str, type_name: str) -> Refusal:
    return Refusal(400, "0x0", f"Invalid property '{name}' was found in entity '{type_name}'.")


def undeclared_property(name: str) -> Refusal:
    return Refusal(
        400,
        "0x80048d19",
        f"An undeclared property '{name}' which only has property annotations in the payload but "
        "no property value was found in the payload. In OData, only declared navigation properties "
        "and declared named streams can be represented as properties without values.",
    )


def bad_payload(entity: str, inner: str) -> Refusal:
    return Refusal(400, "0x80048d19", _PAYLOAD.format(entity=entity, inner=inner))


def stream_not_readable() -> Refusal:
    return bad_payload("", "System.ArgumentException: Stream was not readable.")


def too_long(column: str, table: Table, limit: int) -> Refusal:
    return Refusal(
        400,
        "0x80044331",
        f"A validation error occurred.  The length of the '{column}' attribute of the "
        f"'{table.logical}' entity exceeded the maximum allowed length of '{limit}'.",
    )


def out_of_range(column: str, table: Table) -> Refusal:
    return Refusal(
        400,
        "0x80044331",
        f"A validation error occurred.  The value of '{column}' on record of type "
        f"'{table.logical}' is outside the valid range.",
    )


def unknown_choice(column: str, table: Table, value: object) -> Refusal:
    return Refusal(
        400,
        "0x8004431a",
        f"A validation error occurred. The value {value} of '{column}' on record of type "
        f"'{table.logical}' is outside the valid range.",
    )


def unreadable_character(column: str) -> Refusal:
    """(assumed status and text)"""
    return Refusal(400, "0x80040278", f"The field '{column}' contains invalid characters.")


def zone_missing(table: Table, value: str) -> Refusal:
    return bad_payload(
        table.logical,
        f"System.FormatException: The time zone information is missing on the DateTimeOffset value "
        f"'{value}'. A DateTimeOffset value must contain the time zone information.",
    )


def too_early(value: date) -> Refusal:
    return Refusal(
        400,
        "0x80040239",
        f"DateTime is less than minimum value supported by CrmDateTime. Actual value: "
        f"{value:%m/%d}/{value.year:04} 00:00:00, Minimum value supported: 01/01/1753 00:00:00",
    )


def wrong_status(table: Table, state: str, status: object, row_id: str) -> Refusal:
    return Refusal(
        400,
        "0x80048408",
        f"{status} is not a valid status code for state code {table.logical.capitalize()}State."
        f"{state} on {table.logical} with Id {row_id}.",
    )


def not_an_object(table: Table, name: str) -> Refusal:
    return bad_payload(
        table.logical,
        "Microsoft.OData.ODataException: A 'PrimitiveValue' node with non-null value was found "
        f"when trying to read the value of the property '{name}'; however, a 'StartArray' node, a "
        "'StartObject' node, or a 'PrimitiveValue' node with null value was expected.",
    )


def not_nullable(column: str) -> Refusal:
    """(assumed code)"""
    return Refusal(400, "0x80040203", f"Attribute: {column} cannot be set to NULL")


def not_writable(column: str) -> Refusal:
    """(assumed; only when the switch read_only is "refuse")"""
    return Refusal(400, "0x80040203", f"Attribute: {column} is read-only.")


def row_missing(table: Table, row_id: str) -> Refusal:
    return Refusal(404, "0x80040217", f"{table.logical} With Id = {row_id} Does Not Exist")


def key_missing(table: Table) -> Refusal:
    return Refusal(
        404,
        "0x80060891",
        f"A record with the specified key values does not exist in {table.logical} entity",
    )


def key_not_valid(table: Table) -> Refusal:
    return Refusal(
        400,
        "0x80060888",
        f"The key in the request URI is not valid for resource '{table.type_name}'. Ensure that "
        "the names and number of key properties match the declared keys for the resource "
        f"'{table.type_name}'.",
    )


def dangerous_key(character: str) -> Refusal:
    return Refusal(
        400,
        "",
        f"A potentially dangerous Request.Path value was detected from the client ({character}).",
    )


def already_exists() -> Refusal:
    return Refusal(412, "", "A record with matching key values already exists.")


def key_taken(key: Key) -> Refusal:
    return Refusal(
        412,
        "0x80060892",
        f"A record that has the attribute values {', '.join(key.columns)} already exists. The "
        f"entity key {key.name} requires that this set of attributes contains unique values. "
        "Select unique values and try again.",
    )


def id_taken() -> Refusal:
    return Refusal(412, "0x80040237", "Cannot insert duplicate key.")


def version_mismatch() -> Refusal:
    return Refusal(
        412,
        "0x80060882",
        "The version of the existing record doesn't match the RowVersion property provided.",
    )


def too_large() -> Refusal:
    """(assumed text)"""
    return Refusal(413, "", "The request is too large.")


def url_too_long(status: int) -> Refusal:
    """(assumed status and text) 32 KiB are the documented limit, 64 KiB inside of a batch."""
    return Refusal(status, "", "The request URI is too long.")


def privilege_missing(user: str, name: str, table: Table | None = None) -> Refusal:
    """(assumed wording)"""
    of = f" on OTC={table.logical} for entity '{table.logical}'" if table else ""
    return Refusal(
        403, "0x80040220", f"Principal user (Id={user}, type=8) is missing {name} privilege{of}."
    )


def not_tracked(table: Table) -> Refusal:
    """(assumed)"""
    text = f"Change tracking is not enabled for entity '{table.logical}'."
    return Refusal(400, "0x80060888", text)


def not_with_tracking(option: str) -> Refusal:
    text = f'The "{option}" query parameter isn\'t supported when Change Tracking is enabled.'
    return Refusal(400, "0x80060888", text)


def bad_token() -> Refusal:
    """(assumed)"""
    return Refusal(400, "0x80060888", "The delta token is invalid.")


def version_expired() -> Refusal:
    """(assumed status)"""
    return Refusal(
        400,
        "0x80044352",
        "Version stamp associated with the client has expired. Please perform a full sync.",
    )


def duplicate(status: int) -> Refusal:
    return Refusal(
        status,
        "0x80040333",
        "A record was not created or updated because a duplicate of the current record already "
        "exists.",
    )


def not_a_number(option: str) -> Refusal:
    """(assumed text)"""
    return Refusal(400, "0x80060888", f"The value of {option} is not a number.")


def unexpected() -> Refusal:
    return Refusal(400, "0x80040216", "An unexpected error occurred.")


def content_id_unknown(reference: str) -> Refusal:
    return Refusal(
        400, "", f"Content-ID Reference: '{reference}' does not exist in the batch context."
    )


def batch_refused(reason: str) -> Refusal:
    """(assumed texts) the whole batch is refused with a JSON body, nothing was run."""
    return Refusal(400, "0x80048d19", reason)
