"""The HTTP face: who may do what, what looks like nothing there, and what bad input gets."""

from typing import Any
from uuid import uuid4

from tests.services.backup.running_backup import Backup, bearer

_SOME = "00000000-0000-7000-8000-000000000000"
OPERATIONS = [
    ("POST", "/backups", "backup.run"),
    ("GET", "/backups", "backup.view"),
    ("GET", f"/backups/{_SOME}", "backup.view"),
    ("POST", "/restores", "backup.preview"),
    ("GET", "/restores", "backup.view"),
    ("GET", f"/restores/{_SOME}", "backup.view"),
    ("POST", f"/restores/{_SOME}/execute", "backup.restore"),
]


async def _call(backup: Backup, method: str, url: str, headers: dict[str, str]) -> int:
    body = {"backup": _SOME} if url.endswith("/restores") and method == "POST" else None
    return (await backup.client.request(method, url, json=body, headers=headers)).status_code


async def test_each_operation_needs_its_own_permission_in_its_own_tenant(backup: Backup) -> None:
    for method, path, permission in OPERATIONS:
        tenant = uuid4()
        url, others = f"/t/{tenant}/v1{path}", {name for _, _, name in OPERATIONS} - {permission}
        assert await _call(backup, method, url, {}) == 401
        assert await _call(backup, method, url, bearer(uuid4())) == 404
        assert await _call(backup, method, url, bearer(tenant, *others)) == 403
        expected = {("POST", "/backups"): 202, ("GET", "/backups"): 200, ("GET", "/restores"): 200}
        found = await _call(backup, method, url, bearer(tenant, permission))
        assert found == expected.get((method, path), 404)


BAD_BODIES = [
    (b"", 422),
    (b"{", 400),
    (b'{"backup": NaN}', 400),
    (b'{"backup": "a", "backup": "b"}', 400),
    (b'{"backup": "\\ud800"}', 400),
    (b'{"backup": "\\u0000"}', 400),
    (b"{}", 422),
    (b"[]", 422),
    (b'{"backup": 7}', 422),
    (b'{"backup": "not an id"}', 422),
    (b'{"backup": "' + _SOME.encode() + b'", "force": true}', 422),
    (b'{"backup": "' + b"x" * (2 << 20) + b'"}', 413),
]


async def test_bad_bodies_get_a_problem_that_does_not_echo_them(backup: Backup) -> None:
    tenant = uuid4()
    headers = bearer(tenant) | {"content-type": "application/json"}
    for body, status in BAD_BODIES:
        url = f"/t/{tenant}/v1/restores"
        answer = await backup.client.post(url, content=body, headers=headers)
        assert answer.status_code == status, answer.text
        assert answer.headers["content-type"] == "application/problem+json"
        assert "not an id" not in answer.text


async def test_asking_again_while_one_is_queued_gives_the_same_backup(backup: Backup) -> None:
    tenant = await backup.peer.add(10)
    await backup.backed_up(tenant)
    await backup.keep_busy(tenant)
    answers = [(await backup.post(tenant, "/backups")).json() for _ in range(3)]
    assert {answer["state"] for answer in answers} == {"queued"}
    assert len({answer["id"] for answer in answers}) == 1
    refused = await backup.post(tenant, "/restores", {"backup": answers[0]["id"]})
    assert (refused.status_code, refused.json()["detail"]) == (409, "its state is queued")


async def test_a_backup_of_one_tenant_is_not_there_for_another(backup: Backup) -> None:
    tenant, other = await backup.peer.add(10), await backup.peer.add(10)
    made = await backup.backed_up(tenant)
    url = f"/t/{other}/v1/backups/{made['id']}"
    assert (await backup.client.get(url, headers=bearer(other))).status_code == 404
    body = {"backup": made["id"]}
    assert (await backup.post(other, "/restores", body)).status_code == 404
    listed: dict[str, Any] = await backup.get(other, "/backups")
    assert listed == {"backups": []}


async def test_a_failed_backup_is_listed_with_its_reason(backup: Backup) -> None:
    tenant = await backup.peer.add(10)
    backup.peer.down.add("leases")
    failed = await backup.backed_up(tenant, "failed")
    assert failed["reason"] == "the tenants service could not be reached"
    assert (await backup.get(tenant, "/backups"))["backups"] == [failed]
    assert await backup.notices() == ["backup.backup.failed.v1"]


async def test_readiness_names_what_the_service_needs(backup: Backup) -> None:
    answer = await backup.client.get("/readyz")
    assert answer.json()["checks"] == dict.fromkeys(
        ("start", "database", "clock", "broker", "keys", "vault", "loops"), "ok"
    )
