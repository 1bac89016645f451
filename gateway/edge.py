"""The files of the edge: what Envoy reads is what the store holds, and we know when it is live."""

import asyncio
from collections.abc import Mapping, Sequence

from gateway import envoy_files, store
from gateway.envoy import allowlist_matcher, bootstrap, clusters, listener, shapes
from gateway.envoy.http_filters import GLOBAL_LIST, TENANT_LIST
from gateway.envoy_admin import EnvoyAdmin
from gateway.settings import GatewaySettings
from gateway.store import EdgeState
from kit.db import Database

_EVERYWHERE = ("operators", "public")
_ACKNOWLEDGED_WITHIN_S = 5.0


def publish_static(settings: GatewaySettings) -> None:
    """Everything that follows from the settings alone. The bootstrap comes last: whoever waits for
    it may start Envoy."""
    folder = settings.edge_dir
    envoy_files.write(folder / "sds.json", shapes.discovery(listener.certificate(settings)))
    envoy_files.write(folder / "cds.json", shapes.discovery(*clusters.render(settings)))
    envoy_files.write(folder / "lds.json", shapes.discovery(*listener.render(settings)))
    for name, content in render_lists(settings.global_ranges, {}).items():
        path = folder / f"{name}.pb"
        if not path.exists():  # a list in force is never replaced by an empty one
            envoy_files.write(path, content)
    envoy_files.write(folder / "bootstrap.json", shapes.document(bootstrap.render(settings)))


def render_lists(
    global_ranges: Sequence[str], tenants: Mapping[str, Sequence[str]]
) -> dict[str, bytes]:
    """List name -> its file's content."""
    return {
        GLOBAL_LIST: allowlist_matcher.global_list(GLOBAL_LIST, global_ranges),
        TENANT_LIST: allowlist_matcher.tenant_lists(TENANT_LIST, tenants, _EVERYWHERE),
    }


class Edge:
    """Publishes the lists of the store; one at a time, the newest state last, each state once.

    Rendering thousands of lists takes a tenth of a second: it never happens on the event loop.
    """

    def __init__(self, settings: GatewaySettings, db: Database, admin: EnvoyAdmin) -> None:
        self._folder, self._db, self._admin = settings.edge_dir, db, admin
        self._lock = asyncio.Lock()
        self._published, self._versions = -1, dict[str, str]()

    async def catch_up(self) -> None:
        """Publish where another gateway (or the sweep) has changed the store."""
        async with self._db.read() as session:
            current = await store.revision(session)
        if current != self._published:
            await self.publish()

    async def publish(self) -> bool:
        """Write what the store holds; True once Envoy has it in force, False where it cannot be
        asked (it reads the files all the same)."""
        async with self._lock:
            wanted = await self._written()
        return await self._admin.await_versions(wanted, deadline_s=_ACKNOWLEDGED_WITHIN_S)

    async def _written(self) -> dict[str, str]:
        """List name -> version of the newest state; whoever waited while another wrote that state
        has nothing to do."""
        async with self._db.read() as session:
            if await store.revision(session) == self._published:
                return self._versions
            state = await store.edge_state(session)
        self._versions = await asyncio.to_thread(self._write, state)
        self._published = state.revision
        return self._versions

    def _write(self, state: EdgeState) -> dict[str, str]:
        files = render_lists(state.global_ranges, state.tenants)
        for name, content in files.items():
            envoy_files.write(self._folder / f"{name}.pb", content)
        return {name: allowlist_matcher.version(content) for name, content in files.items()}
