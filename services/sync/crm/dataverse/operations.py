"""The allowlist of calls: each is in Microsoft's documentation; anything else is never sent."""

import re
from dataclasses import dataclass

API = "/api/data/v9.2"
_NAME = r"[A-Za-z_][A-Za-z0-9_]{0,127}"
_GUID = r"[0-9a-fA-F]{8}(?:-[0-9a-fA-F]{4}){3}-[0-9a-fA-F]{12}"


@dataclass(frozen=True)
class Operation:
    """A method and the shape of a path; `name` stands in the ledger.

    An answer of more than `reply_bytes` is refused: a multiple of what the largest real one has.
    """

    name: str
    method: str
    reply_bytes: int
    shape: re.Pattern[str]


class NotDocumented(Exception):
    """A bug of ours: the path is not one of the documented shapes."""


def _operation(name: str, method: str, reply_kib: int, shape: str) -> Operation:
    return Operation(name, method, reply_kib * 1024, re.compile(shape))


TOKEN = _operation("token", "POST", 64, r"/[A-Za-z0-9][A-Za-z0-9.\-]{0,127}/oauth2/v2\.0/token")
WHO_AM_I = _operation("who-am-i", "GET", 64, rf"{API}/WhoAmI")
TABLE = _operation(
    "describe-table",
    "GET",
    256,
    rf"{API}/EntityDefinitions\?\$select=[A-Za-z,]+"
    rf"&\$filter=EntitySetName%20eq%20'{_NAME}'&\$expand=Keys\(\$select=[A-Za-z,]+\)",
)
COLUMNS = _operation(
    "describe-columns",
    "GET",
    2048,
    rf"{API}/EntityDefinitions\(LogicalName='{_NAME}'\)/Attributes\?\$select=[A-Za-z,]+",
)
MESSAGES = _operation(
    "describe-bulk",
    "GET",
    64,
    rf"{API}/sdkmessagefilters\?\$select=sdkmessagefilterid"
    rf"&\$filter=sdkmessageid/name%20eq%20'(?:Create|Update)Multiple'"
    rf"%20and%20primaryobjecttypecode%20eq%20'{_NAME}'",
)
_CASTS = (
    r"(?:String|Memo|Integer|BigInt|Decimal|Double|Money|DateTime)AttributeMetadata"
    r"\?\$select=[A-Za-z,]+",
    r"(?:Picklist|MultiSelectPicklist|State|Status)AttributeMetadata\?\$select=LogicalName"
    r"&\$expand=OptionSet\(\$select=Options\),GlobalOptionSet\(\$select=Options\)",
)
DETAILS = _operation(
    "describe-types",
    "GET",
    8192,
    rf"{API}/EntityDefinitions\(LogicalName='{_NAME}'\)/Attributes/Microsoft\.Dynamics\.CRM\."
    rf"(?:{_CASTS[0]}|{_CASTS[1]})",
)
RELATIONS = _operation(
    "describe-lookups",
    "GET",
    2048,
    rf"{API}/EntityDefinitions\(LogicalName='{_NAME}'\)/ManyToOneRelationships\?\$select=[A-Za-z,]+",
)
BATCH = _operation("upsert-batch", "POST", 8192, rf"{API}/\$batch")
FIND_BATCH = _operation("find-batch", "POST", 8192, rf"{API}/\$batch")
UPSERT_MULTIPLE = _operation(
    "upsert-multiple", "POST", 64, rf"{API}/{_NAME}/Microsoft\.Dynamics\.CRM\.UpsertMultiple"
)
UPDATE_MULTIPLE = _operation(
    "update-multiple", "POST", 64, rf"{API}/{_NAME}/Microsoft\.Dynamics\.CRM\.UpdateMultiple"
)
_KEY = r"'(?:[^'/<>*&:\\?+]|'')+'"
_ROW = rf"{API}/{_NAME}\({_GUID}\)"
UPSERT = _operation("upsert", "PATCH", 64, rf"{API}/{_NAME}\({_NAME}={_KEY}\)\?\$select={_NAME}")
UPDATE = _operation("update", "PATCH", 64, _ROW)
DELETE = _operation("delete", "DELETE", 64, _ROW)
FIND = _operation(
    "find",
    "GET",
    1024,
    rf"{API}/{_NAME}\?\$select={_NAME},{_NAME}&\$filter=Microsoft\.Dynamics\.CRM\.In"
    rf"\(PropertyName='{_NAME}',PropertyValues=\[{_KEY}(?:,{_KEY})*\]\)",
)

OPERATIONS = (
    TOKEN,
    WHO_AM_I,
    TABLE,
    COLUMNS,
    DETAILS,
    RELATIONS,
    MESSAGES,
    BATCH,
    FIND_BATCH,
    UPSERT_MULTIPLE,
    UPDATE_MULTIPLE,
    UPSERT,
    UPDATE,
    DELETE,
    FIND,
)


def documented(operation: Operation, path: str) -> str:
    """The path, if it has the operation's shape; else NotDocumented."""
    if not operation.shape.fullmatch(path):
        raise NotDocumented(operation.name)
    return path
