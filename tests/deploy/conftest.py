"""The files that say how containers run: docker-compose, and Kubernetes as kustomize renders it."""

import shutil
import subprocess
from typing import Any

import pytest
import yaml

from ops.local import packages
from tests.deploy.pods import ROOT


@pytest.fixture(scope="session")
def kubectl() -> str:
    """kubectl renders kustomize; Debian has it as kubernetes-client."""
    packages.ensure("kubernetes-client", lambda: shutil.which("kubectl") is not None)
    return "kubectl"


def rendered(kubectl: str, folder: str) -> list[dict[str, Any]]:
    done = subprocess.run(
        [kubectl, "kustomize", str(ROOT / "deploy/k8s" / folder)],
        check=True,
        capture_output=True,
        text=True,
    )
    return list(yaml.safe_load_all(done.stdout))


@pytest.fixture(scope="session", params=["base", "overlays/dev"])
def manifests(request, kubectl) -> list[dict[str, Any]]:
    return rendered(kubectl, request.param)


@pytest.fixture(scope="session")
def dev(kubectl) -> list[dict[str, Any]]:
    return rendered(kubectl, "overlays/dev")


@pytest.fixture(scope="session")
def compose() -> dict[str, Any]:
    found: dict[str, Any] = yaml.safe_load((ROOT / "docker-compose.yml").read_text())
    return found
