"""$batch: what is written has exactly the documented form; replies are read robustly."""

import json
import re

import pytest

from services.sync.crm.dataverse.keys import key_problem, same_key
from services.sync.crm.dataverse.operations import (
    BATCH,
    DELETE,
    FIND,
    TABLE,
    UPDATE,
    UPSERT,
    NotDocumented,
    documented,
)
from services.sync.crm.dataverse.replies import ReplyUnreadable, parts
from services.sync.crm.dataverse.writes import batch, finding, update_multiple, upsert_multiple
from services.sync.crm.port import RowWrite
from tests.services.sync.answering import FACTS, MAPPING

TYPE = "multipart/mixed; boundary=batchresponse_1"


def reply(*answers: str, end: str = "--batchresponse_1--\r\n") -> bytes:
    head = "Content-Type: application/http\r\nContent-Transfer-Encoding: binary\r\n\r\n"
    return ("".join(f"--batchresponse_1\r\n{head}{one}\r\n" for one in answers) + end).encode()


NO_CONTENT = "HTTP/1.1 204 No Content\r\nOData-Version: 4.0\r\n\r\n"
REFUSED = (
    "HTTP/1.1 400 Bad Request\r\nContent-Type: application/json\r\nREQ_ID: 1\r\n\r\n"
    '{"error":{"code":"0x0","message":"no"}}'
)


def test_a_batch_is_written_with_crlf_and_without_key_columns() -> None:
    kind, body = batch(MAPPING, FACTS, [RowWrite("new", "O'Brien é", {"name": "Ünïque\r\n"})])
    boundary = re.fullmatch(r"multipart/mixed; boundary=(batch_[0-9a-f]{32})", kind)
    assert boundary
    assert body.decode("ascii").split("\r\n") == [
        f"--{boundary[1]}",
        "Content-Type: application/http",
        "Content-Transfer-Encoding: binary",
        "",
        "PATCH /api/data/v9.2/accounts(bulkhead_symbol='O''Brien%20%C3%A9')?$select=accountid"
        " HTTP/1.1",
        "Content-Type: application/json",
        "Prefer: return=representation",
        "",
        '{"name": "\\u00dcn\\u00efque\\r\\n"}',
        f"--{boundary[1]}--",
        "",
    ]
    assert body.count(b"\n") == body.count(b"\r\n")


ID = "11111111-2222-3333-4444-555555555555"


def requests(body: bytes) -> list[str]:
    """What each part asks for, without the heads of the parts and the boundary."""
    parts = re.split(r"--batch_[0-9a-f]{32}(?:--)?", body.decode("ascii"))[1:-1]
    return [part.split("\r\n\r\n", 1)[1].strip().replace("\r\n", "|") for part in parts]


def test_a_known_row_is_addressed_by_its_id_and_made_by_nobody() -> None:
    known = RowWrite("known", "B", {"name": "x", "bulkhead_symbol": "B"}, crm_id=ID)
    revived = RowWrite("known", "B", {}, crm_id=ID, revives=True)
    gone = [RowWrite("deactivate", "B", crm_id=ID), RowWrite("delete", "B", crm_id=ID)]
    _, body = batch(MAPPING, FACTS, [known, revived, *gone])
    row = f"/api/data/v9.2/accounts({ID})"
    change = f"PATCH {row} HTTP/1.1|Content-Type: application/json|If-Match: *||"
    assert requests(body) == [
        change + '{"name": "x", "bulkhead_symbol": "B"}',
        change + '{"statecode": 0}',
        change + '{"statecode": 1}',
        f"DELETE {row} HTTP/1.1|Accept: application/json",
    ]


def test_ids_are_asked_for_by_a_hundred_keys_at_a_time() -> None:
    _, body, count = finding(
        MAPPING, FACTS, MAPPING.key_attribute, [f"O'B,{number}" for number in range(250)]
    )
    asked = requests(body)
    assert count == len(asked) == 3
    assert asked[0].startswith(
        "GET /api/data/v9.2/accounts?$select=accountid,bulkhead_symbol&$filter="
        "Microsoft.Dynamics.CRM.In(PropertyName='bulkhead_symbol',PropertyValues="
        "['O''B%2C0','O''B%2C1',"
    )


def test_many_rows_at_once_name_their_type_and_address() -> None:
    new = upsert_multiple(MAPPING, FACTS, [RowWrite("new", "O'B c", {"name": "x"})])
    assert json.loads(new) == {
        "Targets": [
            {
                "@odata.type": "Microsoft.Dynamics.CRM.account",
                "@odata.id": "accounts(bulkhead_symbol='O''B c')",
                "name": "x",
            }
        ]
    }
    known = update_multiple(MAPPING, FACTS, [RowWrite("known", "A", {"name": "x"}, crm_id=ID)])
    assert json.loads(known) == {
        "Targets": [{"@odata.type": "Microsoft.Dynamics.CRM.account", "accountid": ID, "name": "x"}]
    }


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("kq-1", "KQ-1"),
        ("Müller", "MULLER"),
        ("Straße", "STRASSE"),
        ("é", "e\u0301"),
        ("ＡＢ", "ab"),
        ("Ærø", "aero"),
        ("ﬁx", "FIX"),
        ("A-1  ", "a-1"),
        ("İ", "i"),
    ],
)
def test_keys_that_dataverse_takes_for_one_are_one(one: str, other: str) -> None:
    assert same_key(one) == same_key(other)


@pytest.mark.parametrize(("one", "other"), [("A1", "A-1"), ("A 1", "A1"), ("А", "A"), ("0", "O")])
def test_keys_that_dataverse_tells_apart_are_two(one: str, other: str) -> None:
    assert same_key(one) != same_key(other)


def test_a_key_column_in_the_body_is_a_bug_of_ours() -> None:
    with pytest.raises(ValueError, match="key column"):
        batch(MAPPING, FACTS, [RowWrite("new", "A", {"bulkhead_symbol": "A"})])


@pytest.mark.parametrize("key", ["", " A", "A ", "A/B", "A<", "A>", "A*", "A%", "A&", "A:", "A\\"])
def test_keys_that_dataverse_cannot_address_are_found_before_sending(key: str) -> None:
    assert key_problem(key)


@pytest.mark.parametrize("key", ["A?", "A+B", "A\r\nB", "x" * 851])
def test_keys_that_would_break_the_address_are_found_before_sending(key: str) -> None:
    assert key_problem(key)


@pytest.mark.parametrize("key", ["A", "BRK.B", "O'Brien", "a b", "東京", "A-1_2#3"])
def test_ordinary_keys_are_addressed(key: str) -> None:
    assert key_problem(key) is None
    batch(MAPPING, FACTS, [RowWrite("new", key, {"name": "x"})])
    finding(MAPPING, FACTS, MAPPING.key_attribute, [key])


@pytest.mark.parametrize(
    ("operation", "path"),
    [
        (BATCH, "/api/data/v9.2/$batch/../accounts"),
        (BATCH, "/api/data/v9.1/$batch"),
        (UPSERT, "/api/data/v9.2/accounts(11111111-1111-1111-1111-111111111111)"),
        (UPSERT, "/api/data/v9.2/accounts(name='a')/x"),
        (UPSERT, "/api/data/v9.2/accounts(name='a' HTTP/1.1\r\nX: y')"),
        (UPSERT, "/api/data/v9.2/accounts(name='a')"),
        (UPDATE, "/api/data/v9.2/accounts(name='a')"),
        (DELETE, "/api/data/v9.2/accounts"),
        (FIND, "/api/data/v9.2/accounts?$select=accountid,name"),
        (TABLE, "/api/data/v9.2/EntityDefinitions"),
    ],
)
def test_a_path_that_is_not_documented_is_never_sent(operation: object, path: str) -> None:
    with pytest.raises(NotDocumented):
        documented(operation, path)  # type: ignore[arg-type]  # an Operation of the table


@pytest.mark.parametrize("newline", ["\r\n", "\n"])
def test_a_reply_is_read_part_by_part_whatever_its_line_ends(newline: str) -> None:
    body = reply(NO_CONTENT, REFUSED, NO_CONTENT).replace(b"\r\n", newline.encode())
    found = parts(TYPE, body, 3)
    assert [part.status for part in found] == [204, 400, 204]
    assert found[1].headers["req_id"] == "1"
    assert found[1].body == b'{"error":{"code":"0x0","message":"no"}}'
    assert found[0].body == b""


def test_a_quoted_boundary_and_a_preamble_are_understood() -> None:
    body = b"preamble\r\n" + reply(NO_CONTENT)
    assert len(parts('multipart/mixed; boundary="batchresponse_1"', body, 1)) == 1


def test_missing_parts_were_not_run() -> None:
    assert len(parts(TYPE, reply(REFUSED), 5)) == 1


@pytest.mark.parametrize(
    ("kind", "body"),
    [
        ("application/json", b"{}"),
        ("multipart/mixed", reply(NO_CONTENT)),
        (TYPE, b""),
        (TYPE, b"<html>Bad gateway</html>"),
        (TYPE, reply(NO_CONTENT, NO_CONTENT, NO_CONTENT)),
        (TYPE, reply(NO_CONTENT, end="")),
        (TYPE, reply("not http")),
        (TYPE, reply("HTTP/1.1 abc\r\n\r\n")),
        (TYPE, reply("HTTP/1.1 204 No Content\r\nbroken header\r\n\r\n")),
    ],
)
def test_a_reply_that_is_not_one_leaves_the_outcome_unknown(kind: str, body: bytes) -> None:
    with pytest.raises(ReplyUnreadable):
        parts(kind, body, 2)
