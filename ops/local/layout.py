"""Where the local suite keeps things, and which ports it uses; the same on every later start."""

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path

from ops.local.accounts import reachable
from ops.local.ports import Ports, is_free
from ops.programs import METRICS_OFFSET, PROGRAMS, Places
from ops.secrets import read_json, write_private

_SINGLE = ("postgres", "simulator", "edge", "edge_metrics")
CRM_NAME = "contoso.crm4.dynamics.test"
"""The simulator's name: what the local sync service reaches on this machine, and nothing else."""


@dataclass
class Layout:
    """The folders and ports below one folder (`.run` for `make run`)."""

    root: Path
    free_ports: Ports = field(default_factory=Ports)

    @property
    def _ports_file(self) -> Path:
        return self.root / "ports.json"

    @cached_property
    def secrets(self) -> Path:
        return self.root / "secrets"

    @cached_property
    def logs(self) -> Path:
        return self.root / "logs"

    @cached_property
    def edge(self) -> Path:
        """Short enough for a unix socket in it."""
        return reachable(self.root / "edge", longest=80)

    @cached_property
    def certificates(self) -> Path:
        return self.root / "certificates"

    @cached_property
    def credentials(self) -> Path:
        return self.root / "credentials.json"

    @cached_property
    def servers(self) -> Path:
        """For servers that run under their own accounts."""
        return reachable(self.root / "servers", longest=70, open_to_others=True)

    @cached_property
    def ports(self) -> dict[str, int]:
        """Chosen once, then kept, so that addresses stay the same."""
        if not self._ports_file.exists():
            chosen = _choose_ports(self.free_ports, {})
            write_private(self._ports_file, json.dumps(chosen, indent=1) + "\n")
        return read_json(self._ports_file)

    def settle_ports(self) -> None:
        """Keep the ports, but for those that somebody else has by now: another copy of this folder
        is running, say. To be asked while nothing of ours runs."""
        kept = {name: port for name, port in self.ports.items() if _is_free(name, port)}
        self.ports = _choose_ports(self.free_ports, kept)
        write_private(self._ports_file, json.dumps(self.ports, indent=1) + "\n")

    @property
    def url(self) -> str:
        """The address of the edge."""
        return f"https://localhost:{self.ports['edge']}"

    @property
    def crm_url(self) -> str:
        """The address of the CRM simulator as a connection names it."""
        return f"https://{CRM_NAME}"

    def places(self) -> Places:
        return Places(
            host="127.0.0.1",
            url=lambda name: f"http://127.0.0.1:{self.ports[name]}",
            port=lambda name: self.ports[name],
            secrets=lambda name: self.secrets / name,
            state=self.root / "state",
        )


def _is_free(name: str, port: int) -> bool:
    return is_free(port) and (name not in PROGRAMS or is_free(port + METRICS_OFFSET))


def _choose_ports(free: Ports, kept: Mapping[str, int]) -> dict[str, int]:
    """A free port for each name that has none; a program's metrics are a fixed distance away."""
    taken = {one for port in kept.values() for one in (port, port + METRICS_OFFSET)}

    def fits(port: int) -> bool:
        pair = {port, port + METRICS_OFFSET}
        if pair & taken or not is_free(port + METRICS_OFFSET):
            return False
        taken.update(pair)
        return True

    return {name: kept.get(name) or free.free(fits) for name in (*PROGRAMS, *_SINGLE)}
