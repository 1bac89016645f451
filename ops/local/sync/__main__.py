"""The sync service with one name of this machine: how people without a CRM try the product.

Only this module and tests hand the egress guard an injected name; no setting or environment
variable reaches that argument, and a rule test keeps it so.
"""

import argparse
from pathlib import Path

from contracts import log_fields
from contracts.program import observed
from contracts.settings import load
from kit import http, logs
from kit.ending import in_words
from services.sync.app import create_app
from services.sync.egress import Egress, InjectedName
from services.sync.settings import SyncSettings


def main() -> None:
    """`python -m ops.local.sync NAME PORT AUTHORITY`: NAME leads to 127.0.0.1:PORT."""
    parser = argparse.ArgumentParser(prog="python -m ops.local.sync")
    parser.add_argument("name")
    parser.add_argument("port", type=int)
    parser.add_argument("authority", type=Path)
    given = parser.parse_args()
    settings = load(SyncSettings)
    logs.setup("sync", settings.log_level, log_fields.FIELDS)
    with in_words("sync does not start"):
        authority = given.authority.read_text()
    simulator = InjectedName(given.name, "127.0.0.1", given.port, authority)
    with observed("sync"):
        http.serve(create_app(settings, egress=Egress.injecting(simulator)), settings)


if __name__ == "__main__":
    main()
