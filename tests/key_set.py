"""A key set that counts how often a running service asks for it."""

from collections.abc import Mapping

import httpx2
from fastapi import FastAPI

from contracts.credentials import AccessVerifier
from kit.http import put
from kit.sealing import VerifyKey
from kit.tokens import KeySet
from tests.eventually import eventually


async def is_asked_for_again_and_again(app: FastAPI) -> None:
    """The app's timers must have been made with a short authorise.REFRESH_KEYS_EVERY_S."""
    asked = []

    async def fetch() -> Mapping[str, VerifyKey]:
        asked.append(1)
        return {}

    put(app, AccessVerifier(KeySet(fetch), "https://bulkhead"))
    await eventually(lambda: len(asked) > 2)


async def is_missed_by_readiness(app: FastAPI) -> None:
    async def fetch() -> Mapping[str, VerifyKey]:
        raise ConnectionError

    put(app, AccessVerifier(KeySet(fetch), "https://bulkhead"))
    transport = httpx2.ASGITransport(app)
    async with httpx2.AsyncClient(transport=transport, base_url="http://any") as client:
        answer = await client.get("/readyz")
    assert (answer.status_code, answer.json()["checks"]["keys"]) == (503, "down")
