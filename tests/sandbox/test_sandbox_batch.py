import pytest

from tests.sandbox.conftest import Crm, change_set, error, part

CONTINUE = {"Prefer": "odata.continue-on-error"}
ROW = "accounts(bulkhead_symbol='{}')"


def upsert(symbol: str, name: str = "n", cid: str = "") -> str:
    return part("PATCH", f"/api/data/v9.2/{ROW.format(symbol)}", {"name": name}, cid)


def statuses(text: str) -> list[int]:
    return [int(line.split()[1]) for line in text.splitlines() if line.startswith("HTTP/1.1")]


async def test_a_batch_runs_in_order_and_answers_in_order(crm: Crm) -> None:
    answer = await crm.batch(
        [
            upsert("A"),
            part("GET", f"{crm.sim.url}/api/data/v9.2/accounts?$select=name"),
            upsert("B"),
        ]
    )
    assert answer.status_code == 200
    assert answer.headers["content-type"].startswith("multipart/mixed; boundary=batchresponse_")
    assert statuses(answer.text) == [204, 200, 204]
    assert '"name":"n"' in answer.text
    assert "accounts(bulkhead_symbol='B')" in answer.text


async def test_without_the_preference_it_stops_at_the_first_error(crm: Crm) -> None:
    answer = await crm.batch([upsert("A"), upsert("B", "x" * 161), upsert("C")])
    assert answer.status_code == 400
    assert statuses(answer.text) == [204, 400]
    assert "0x80044331" in answer.text
    assert [row["bulkhead_symbol"] for row in crm.sim.rows("accounts")] == ["A"]


async def test_continue_on_error_answers_every_part(crm: Crm) -> None:
    answer = await crm.batch([upsert("A"), upsert("B", "x" * 161), upsert("C")], **CONTINUE)
    assert answer.status_code == 200
    assert statuses(answer.text) == [204, 400, 204]
    assert "REQ_ID: " in answer.text


async def test_line_feeds_alone_are_not_readable(crm: Crm) -> None:
    answer = await crm.batch([upsert("A")], newline="\n")
    assert error(answer)[:2] == (400, "0x80048d19")
    assert error(answer)[2].endswith("Stream was not readable.")
    assert crm.sim.rows("accounts") == []


async def test_a_body_with_line_feeds_inside_its_json_is_fine(crm: Crm) -> None:
    text = upsert("A").replace('{"name"', '{\n"name"')
    body = f"--b\n{text}\n--b--\n".replace("\n", "\r\n").replace('{\r\n"name"', '{\n"name"')
    answer = await crm.send(
        "POST", "$batch", raw=body.encode(), Content_Type="multipart/mixed; boundary=b"
    )
    assert statuses(answer.text) == [204]


async def test_a_thousand_requests_fit_and_one_more_is_refused_whole(crm: Crm) -> None:
    parts = [part("GET", "/api/data/v9.2/WhoAmI")] * 1000
    assert len(statuses((await crm.batch(parts)).text)) == 1000
    refused = await crm.batch([*parts, upsert("A")])
    assert error(refused)[0] == 400
    assert crm.sim.rows("accounts") == []


@pytest.mark.parametrize(
    "bad",
    [
        part("POST", "/api/data/v9.2/$batch", {}),
        change_set(part("GET", "/api/data/v9.2/accounts")),
        upsert("B").replace("binary", "base64"),
        upsert("B").replace("application/http", "text/plain"),
    ],
)
async def test_a_forbidden_part_refuses_the_whole_batch_as_json(crm: Crm, bad: str) -> None:
    answer = await crm.batch([upsert("A"), bad], **CONTINUE)
    assert error(answer)[0] == 400
    assert crm.sim.rows("accounts") == []


async def test_a_batch_without_its_end_or_content_type_is_refused(crm: Crm) -> None:
    cut = b"--b\r\nContent-Type: application/http\r\n"
    answer = await crm.send("POST", "$batch", raw=cut, Content_Type="multipart/mixed; boundary=b")
    assert answer.status_code == 400
    assert (await crm.send("POST", "$batch", raw=b"{}")).status_code == 400


async def test_a_change_set_is_atomic(crm: Crm) -> None:
    good = change_set(upsert("A", cid="1"), upsert("B", cid="2"))
    bad = change_set(upsert("C", cid="3"), upsert("D", "x" * 161, cid="4"))
    answer = await crm.batch([good, bad, upsert("E")], **CONTINUE)
    assert statuses(answer.text) == [204, 204, 400, 204]
    assert sorted(row["bulkhead_symbol"] for row in crm.sim.rows("accounts")) == ["A", "B", "E"]


async def test_a_content_id_stands_for_the_row_it_made(crm: Crm) -> None:
    answer = await crm.batch(
        [
            change_set(
                part("POST", "/api/data/v9.2/accounts", {"name": "Parent"}, "1"),
                part(
                    "POST",
                    "/api/data/v9.2/contacts",
                    {"lastname": "Child", "parentcustomerid_account@odata.bind": "$1"},
                    "2",
                ),
                part("PUT", "$2/jobtitle", {"value": "Chief"}, "3"),
            )
        ]
    )
    assert statuses(answer.text) == [204, 204, 204]
    (contact,) = crm.sim.rows("contacts")
    assert contact["parentcustomerid"] == crm.sim.rows("accounts")[0]["accountid"]
    assert contact["jobtitle"] == "Chief"


async def test_a_content_id_used_before_it_is_made_is_refused(crm: Crm) -> None:
    body = {"lastname": "Child", "parentcustomerid_account@odata.bind": "$1"}
    answer = await crm.batch([change_set(part("POST", "/api/data/v9.2/contacts", body, "2"))])
    assert answer.status_code == 400
    assert "Content-ID Reference: '$1' does not exist in the batch context." in answer.text
    assert crm.sim.rows("contacts") == []


async def test_two_thousand_upserts_in_batches_of_a_hundred_all_arrive(crm: Crm) -> None:
    for start in range(0, 2_000, 100):
        parts = [upsert(f"S{number}") for number in range(start, start + 100)]
        assert (await crm.batch(parts, **CONTINUE)).status_code == 200
    assert len(crm.sim.rows("accounts")) == 2_000


async def test_one_line_feed_among_the_line_ends_is_enough_to_refuse(crm: Crm) -> None:
    text = "".join(f"--b\n{upsert(symbol)}\n" for symbol in "AB") + "--b--\n"
    whole = text.replace("\n", "\r\n")
    for broken in (whole.replace("}\r\n--b", "}\n--b", 1), whole.replace("http\r\n", "http\n", 1)):
        answer = await crm.send(
            "POST", "$batch", raw=broken.encode(), Content_Type="multipart/mixed; boundary=b"
        )
        assert error(answer)[2].endswith("Stream was not readable.")
    assert crm.sim.rows("accounts") == []
