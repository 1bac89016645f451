"""The programs of the suite and their settings: one source for the local launcher, docker-compose
and Kubernetes (tests compare their files with this one)."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path

METRICS_OFFSET = 1000
EDGE_DIR = Path("/run/edge")
"""Where the gateway and Envoy share files in a container."""
EDGE_CERTIFICATE = Path("/run/secrets/edge")
"""Where both find the edge's certificate: tls.crt and tls.key, as Kubernetes names them."""


@dataclass(frozen=True)
class LocalProgram:
    """A process of ours: `python -m module` runs it, `python -m module migrate` its migrations."""

    name: str
    module: str
    migrates: bool = True
    secrets: tuple[str, ...] = ("database_url", "amqp_url", "identity_key")
    peers: tuple[str, ...] = ()

    @property
    def command(self) -> tuple[str, ...]:
        return ("python", "-m", self.module)

    @property
    def migration(self) -> tuple[str, ...]:
        return (*self.command, "migrate")

    @property
    def preparation(self) -> tuple[str, ...]:
        """Its migrations that are safe while the version before still runs."""
        return (*self.migration, "--phase", "pre")


_COMMON = ("database_url", "amqp_url", "identity_key")
PROGRAMS: dict[str, LocalProgram] = {
    program.name: program
    for program in (
        LocalProgram("auth", "services.auth", secrets=(*_COMMON, "signing_key")),
        LocalProgram("tenants", "services.tenants", secrets=(*_COMMON, "kek")),
        LocalProgram("sync", "services.sync", secrets=(*_COMMON, "kek")),
        LocalProgram("backup", "services.backup", secrets=(*_COMMON, "kek", "manifest_key")),
        LocalProgram("gateway", "gateway", peers=("sync", "backup", "gateway")),
        LocalProgram("relay", "services.relay", migrates=False, secrets=("amqp_url",)),
    )
}


@dataclass(frozen=True)
class Places:
    """Where things are in one installation.

    `url` gives a service's internal address by name, `port` the port that a program listens on,
    `secrets` the folder with a program's secret files, `state` the folder for its data.
    """

    host: str
    url: Callable[[str], str]
    port: Callable[[str], int]
    secrets: Callable[[str], Path]
    state: Path


def environment(program: LocalProgram, places: Places) -> dict[str, str]:
    """The settings (BULKHEAD_*) of a program in an installation; no secret is among them."""
    port = places.port(program.name)
    values: dict[str, object] = {
        "host": places.host,
        "port": port,
        "metrics_port": port + METRICS_OFFSET,
    }
    folder = places.secrets(program.name)
    values |= {f"{name}_file": folder / name for name in program.secrets}
    if program.name == "relay":
        values["outbox_urls_dir"] = folder / "outbox"
    else:
        values |= {
            "identities_file": folder / "identities.json",
            "auth_url": places.url("auth"),
            "tenants_url": places.url("tenants"),
        }
    values |= {f"{peer}_url": places.url(peer) for peer in program.peers}
    if program.name == "backup":
        values |= {
            "vault_dir": places.state / "vault",
            "keyring_dir": places.state / "keyring",
        }
    return {f"BULKHEAD_{name.upper()}": str(value) for name, value in values.items()}


def telemetry(given: Mapping[str, str]) -> dict[str, str]:
    """What of an environment is handed on to every program: OpenTelemetry's own variables."""
    return {name: value for name, value in given.items() if name.startswith("OTEL_")}


def in_container(name: str) -> dict[str, str]:
    """The settings of a program in docker-compose and Kubernetes: one port, one folder each."""
    values = environment(
        PROGRAMS[name],
        Places(
            host="0.0.0.0",  # noqa: S104  # inside a container's own network
            url=lambda peer: f"http://{peer}:8000",
            port=lambda _name: 8000,
            secrets=lambda _name: Path("/run/secrets/bulkhead"),
            state=Path("/var/lib/bulkhead"),
        ),
    )
    if name == "gateway":
        values |= {
            "BULKHEAD_EDGE_DIR": str(EDGE_DIR),
            "BULKHEAD_EDGE_HOST": "0.0.0.0",  # noqa: S104  # the edge is what faces the world
            "BULKHEAD_CERTIFICATE_FILE": str(EDGE_CERTIFICATE / "tls.crt"),
            "BULKHEAD_CERTIFICATE_KEY_FILE": str(EDGE_CERTIFICATE / "tls.key"),
        }
    return values
