"""The gateway's commands: serve the control plane, migrate its database, render Envoy's files."""

import argparse
from pathlib import Path

from contracts.program import Command, Program, migrating
from gateway.app import SERVICE, create_app
from gateway.edge import publish_static
from gateway.settings import GatewaySettings

MIGRATIONS = Path(__file__).parent / "migrations"


def main() -> None:
    render = Command("render", "write Envoy's files and end", lambda _parser: None, _render)
    Program(
        SERVICE, "gateway", GatewaySettings, create_app, migrating(MIGRATIONS), commands=[render]
    ).main()


def _render(settings: GatewaySettings, _given: argparse.Namespace) -> None:
    publish_static(settings)


if __name__ == "__main__":
    main()
