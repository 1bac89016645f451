"""Every operation of every service, read from the services' own descriptions."""

from dataclasses import dataclass
from typing import Any
from uuid import uuid4

import httpx2

from contracts.credentials import ServiceAuth
from kit.sealing import SigningKey
from ops.bootstrap import SERVICES
from ops.story.scene import SceneTenant

METHODS = {"get", "post", "put", "patch", "delete"}


@dataclass(frozen=True)
class Operation:
    """One method on one path of one service; `media` are the bodies that it takes."""

    service: str
    method: str
    path: str
    media: tuple[str, ...]

    @property
    def is_internal(self) -> bool:
        return self.path.startswith("/internal/")

    @property
    def of_operators(self) -> bool:
        return not self.path.startswith(("/t/", "/internal/"))

    def address(self, tenant: str) -> str:
        """The path with this tenant and a known module; other ids name nothing."""
        values = {"tenant": tenant, "module": "organisation"}
        parts = []
        for part in self.path.split("/"):
            name = part[1:-1] if part.startswith("{") else ""
            parts.append(values.get(name, str(uuid4())) if name else part)
        return "/".join(parts)

    def __str__(self) -> str:
        return f"{self.method.upper()} {self.path}"


def bodies(entry: dict[str, Any]) -> dict[str, Any]:
    """The bodies that an operation takes, by media type."""
    content: dict[str, Any] = entry.get("requestBody", {}).get("content", {})
    return content


async def operations(suite: Any) -> list[Operation]:
    """All operations; the descriptions are served inside only, never through the gateway."""
    found = []
    async with httpx2.AsyncClient(trust_env=False) as client:
        for service in SERVICES:
            url = f"{suite.layout.places().url(service)}/openapi.json"
            paths = (await client.get(url)).json()["paths"]
            found += [
                Operation(
                    service, method, path, tuple(entry.get("requestBody", {}).get("content", {}))
                )
                for path, entries in paths.items()
                for method, entry in entries.items()
                if method in METHODS
            ]
    return found


class Caller:
    """Calls an operation with the strongest credentials that fit it."""

    def __init__(self, suite: Any, stage: Any, tenant: SceneTenant) -> None:
        self._suite, self._stage, self._tenant = suite, stage, tenant

    async def send(self, operation: Operation, content: bytes, media: str) -> httpx2.Response:
        address = operation.address(self._tenant.id)
        headers = {"content-type": media, "if-match": '"00000000-1"'}
        if operation.is_internal:
            return await self._inside(operation, address, content, headers)
        api = self._stage.operator if operation.of_operators else self._tenant.api
        return await api.raw(operation.method.upper(), address, content=content, headers=headers)

    async def _inside(
        self, operation: Operation, address: str, content: bytes, headers: dict[str, str]
    ) -> httpx2.Response:
        caller = "sync" if "/connections/" in address else "backup"
        key = SigningKey.from_file(self._suite.layout.secrets / caller / "identity_key")
        async with httpx2.AsyncClient(
            base_url=self._suite.layout.places().url(operation.service),
            auth=ServiceAuth(key, caller, operation.service),
            trust_env=False,
            timeout=30.0,
        ) as client:
            return await client.request(
                operation.method.upper(), address, content=content, headers=headers
            )
