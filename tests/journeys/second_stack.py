"""A second replica of every program, with an Envoy of its own, beside the suite that runs: its own
ports, logs and edge; the same servers, secrets, vault and keyring."""

import asyncio
from dataclasses import dataclass, replace
from functools import cached_property
from pathlib import Path

from ops.local.layout import Layout
from ops.local.suite import Suite
from ops.programs import PROGRAMS, Places

_SHARED_PORTS = ("postgres", "simulator")


@dataclass
class BesideLayout(Layout):
    """The folders and ports of the second stack; what replicas share is that of `first`."""

    first: Layout | None = None

    @property
    def _first(self) -> Layout:
        assert self.first is not None
        return self.first

    @cached_property
    def secrets(self) -> Path:
        return self._first.secrets

    @cached_property
    def certificates(self) -> Path:
        return self._first.certificates

    @cached_property
    def servers(self) -> Path:
        return self._first.servers

    @cached_property
    def ports(self) -> dict[str, int]:
        shared = {name: self._first.ports[name] for name in _SHARED_PORTS}
        return Layout(self.root, self.free_ports).ports | shared

    def places(self) -> Places:
        return replace(super().places(), state=self._first.root / "state")


class SecondStack(Suite):
    """Its programs and its Envoy; the servers are those of the first."""

    @classmethod
    def beside(cls, first: Suite) -> "SecondStack":
        root = first.layout.root / "second"
        root.mkdir(mode=0o711, exist_ok=True)
        return cls(BesideLayout(root, first.layout.free_ports, first.layout))

    async def start(self) -> None:
        for program in PROGRAMS.values():
            self._start_child(self._service(program))
        await self._await_children()
        await self.envoy.start()

    async def stop(self) -> None:
        await self.envoy.stop(deadline_s=3.0)
        for child in self.children.values():
            child.terminate()
        await asyncio.gather(*(asyncio.to_thread(child.wait) for child in self.children.values()))
