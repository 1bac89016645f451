"""`docker compose` on one project with a name of its own: nobody else's data is ever touched."""

import json
import os
import shutil
import subprocess
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

ROOT = Path(__file__).parents[2]
_LAST_LINES = 15
_NOTHING_MORE: Mapping[str, str] = {}


class NoEngine(Exception):
    """There is nothing here that could start containers; the text says what is missing."""


class EngineRefused(Exception):
    """A command failed or took too long; the text is the command and its last lines."""


def require_engine() -> str:
    """The engine's version. Raises NoEngine."""
    if shutil.which("docker") is None:
        raise NoEngine("no `docker` here")
    try:
        docker("compose", "version")
        return docker("version", "--format", "{{.Server.Version}}").strip()
    except EngineRefused as refused:
        raise NoEngine(str(refused).splitlines()[-1]) from None


def docker(
    *arguments: str, deadline_s: float = 60, environment: Mapping[str, str] = _NOTHING_MORE
) -> str:
    """The output of a command of the engine. Raises EngineRefused."""
    command = ["docker", *arguments]
    try:
        done = subprocess.run(
            command,
            cwd=ROOT,
            env=os.environ | environment,
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            check=False,
            timeout=deadline_s,
        )
    except subprocess.TimeoutExpired:
        raise EngineRefused(f"{' '.join(command)}: not within {deadline_s:.0f} s") from None
    if done.returncode:
        last = "\n".join((done.stdout + done.stderr).strip().splitlines()[-_LAST_LINES:])
        raise EngineRefused(f"{' '.join(command)}: exit {done.returncode}\n{last}")
    return done.stdout


@dataclass(frozen=True)
class Project:
    """Containers, networks and volumes under one name, from these files with these variables."""

    name: str
    files: tuple[str, ...]
    variables: Mapping[str, str]

    def compose(self, *arguments: str, deadline_s: float = 60) -> str:
        files = [part for file in self.files for part in ("--file", file)]
        command = ["compose", "--project-name", self.name, *files, *arguments]
        return docker(*command, deadline_s=deadline_s, environment=self.variables)

    def build(self, service: str) -> None:
        self.compose("build", "--quiet", service, deadline_s=1800)

    def up(self) -> None:
        """Start what does not run; what ends by itself has ended well."""
        self.compose("up", "--detach", "--no-build", deadline_s=600)

    def stop(self) -> None:
        self.compose("stop", deadline_s=180)

    def down(self) -> None:
        """Remove everything, data too."""
        self.compose("down", "--volumes", "--remove-orphans", "--timeout", "10", deadline_s=180)

    def not_well(self) -> list[str]:
        """Who neither runs in health nor, where that is the purpose, has ended with exit code 0."""
        services = json.loads(self.compose("config", "--format", "json"))["services"]
        found = {one["Service"]: one for one in self._containers()}
        return [
            name
            for name, service in services.items()
            if not _is_well(found.get(name), ends=service.get("restart") == "no")
        ]

    def not_ended(self) -> list[str]:
        """Who still runs, or ended with anything but exit code 0."""
        return [one["Service"] for one in self._containers() if not _has_ended(one)]

    def _containers(self) -> list[dict[str, Any]]:
        lines = self.compose("ps", "--all", "--format", "json").splitlines()
        return [json.loads(line) for line in lines]

    def left_over(self) -> list[str]:
        """Containers, volumes and networks under the project's name."""
        label = f"label=com.docker.compose.project={self.name}"
        kinds = (("ps", "--all"), ("volume", "ls"), ("network", "ls"))
        found = [docker(*kind, "--quiet", "--filter", label).split() for kind in kinds]
        return [one for some in found for one in some]

    def read(self, service: str, path: str) -> str:
        """The text of a file as a running service sees it."""
        return self.compose("exec", "--no-TTY", service, "cat", path)

    def last_words(self) -> str:
        """The end of every log, for whoever looks for the reason."""
        return self.compose("logs", "--no-color", "--tail", "5")


def _is_well(container: dict[str, Any] | None, *, ends: bool) -> bool:
    if container is None or ends:
        return container is not None and _has_ended(container)
    return container["State"] == "running" and container["Health"] in {"", "healthy"}


def _has_ended(container: dict[str, Any]) -> bool:
    return bool(container["State"] == "exited" and container["ExitCode"] == 0)
