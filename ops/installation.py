"""`python -m ops.installation`: the secrets and the database bootstrap of a container installation.

`secrets FOLDER` makes what is missing: one sub-folder per program, to be mounted into it alone.
`bootstrap FOLDER` makes roles, control databases and the hardened template as the superuser.
"""

import argparse
import asyncio
import secrets
from pathlib import Path

from ops.bootstrap import bootstrap, role_of
from ops.local import certificates
from ops.secrets import database_passwords, make_keys, write_addresses, write_private

_RABBITMQ = """\
default_user = bulkhead
default_pass = {password}
loopback_users.guest = true
"""


def make_secrets(folder: Path, database: str, broker: str, names: tuple[str, ...]) -> None:
    """Keys, passwords and addresses for servers named `database` and `broker`; never overwrites.

    `names` are those of the edge's development certificate; replace edge/tls.crt and edge/tls.key
    by your own for anything that others reach.
    """
    make_keys(folder)
    passwords = database_passwords(folder / "bootstrap")
    superuser = _kept(folder / "postgres" / "superuser_password")
    broker_password = _kept(folder / "rabbitmq" / "password")
    url = f"postgresql://postgres:{superuser}@{database}:5432/postgres"
    write_private(folder / "bootstrap" / "superuser_url", url + "\n")
    configuration = _RABBITMQ.format(password=broker_password)
    write_private(folder / "rabbitmq" / "rabbitmq.conf", configuration)
    write_addresses(
        folder,
        lambda role, service: (
            f"postgresql://{role_of(role)}:{passwords[role]}@{database}:5432/{role_of(service)}"
        ),
        f"amqp://bulkhead:{broker_password}@{broker}:5672/",
    )
    if not (folder / "edge" / "tls.crt").exists():
        made = certificates.ensure(folder / "certificates", names=names)
        write_private(folder / "edge" / "tls.crt", made.certificate.read_text())
        write_private(folder / "edge" / "tls.key", made.key.read_text())


def _kept(path: Path) -> str:
    if not path.exists():
        write_private(path, secrets.token_urlsafe(32))
    return path.read_text().strip()


def main() -> None:
    """Run one of the two commands."""
    parser = argparse.ArgumentParser(prog="python -m ops.installation", description=__doc__)
    parser.add_argument("command", choices=["secrets", "bootstrap"])
    parser.add_argument("folder", type=Path)
    parser.add_argument("--database", default="postgres", help="host name of PostgreSQL")
    parser.add_argument("--broker", default="rabbitmq", help="host name of RabbitMQ")
    parser.add_argument("--name", action="append", help="name of the edge (repeat)")
    given = parser.parse_args()
    if given.command == "secrets":
        names = tuple(given.name or ("localhost",))
        make_secrets(given.folder, given.database, given.broker, names)
    else:
        url = (given.folder / "superuser_url").read_text().strip()
        asyncio.run(bootstrap(url, database_passwords(given.folder)))


if __name__ == "__main__":
    main()
