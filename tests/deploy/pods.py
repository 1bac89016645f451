"""Reading the pods out of rendered manifests."""

from pathlib import Path
from typing import Any

ROOT = Path(__file__).parents[2]
WORKLOADS = {"Deployment", "StatefulSet", "Job"}


def workloads(manifests: list[dict[str, Any]]) -> dict[str, dict[str, Any]]:
    """The pod of each workload, by its name."""
    return {
        one["metadata"]["name"]: one["spec"]["template"]["spec"]
        for one in manifests
        if one["kind"] in WORKLOADS
    }


def containers(pod: dict[str, Any]) -> list[dict[str, Any]]:
    return [*pod.get("initContainers", []), *pod["containers"]]
