"""The gateway's commands: serve the control plane, migrate its database, render Envoy's files."""

import argparse
import asyncio
from pathlib import Path

from gateway.app import SERVICE, create_app
from gateway.edge import publish_static
from gateway.settings import GatewaySettings
from kit import logs
from kit.http import serve
from kit.migrate import migrate


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m gateway")
    parser.add_argument(
        "command", nargs="?", choices=["serve", "migrate", "render"], default="serve"
    )
    command = parser.parse_args().command
    settings = GatewaySettings()
    logs.setup(SERVICE, settings.log_level)
    if command == "migrate":
        asyncio.run(migrate(settings.database_url, Path(__file__).parent / "migrations"))
    elif command == "render":
        publish_static(settings)
    else:
        serve(create_app(settings), settings)


if __name__ == "__main__":
    main()
