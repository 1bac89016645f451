"""`python -m ops.installation`: the secrets and the database bootstrap of a container installation.

`secrets FOLDER` makes what is missing: one sub-folder per program, to be mounted into it alone.
`bootstrap FOLDER` makes roles, control databases and the hardened template as the superuser.
"""

import argparse
import asyncio
import secrets
from pathlib import Path
from urllib.parse import urlsplit

from kit.ending import Unusable, in_words
from ops import broker
from ops.bootstrap import bootstrap, role_of
from ops.local import certificates
from ops.secrets import (
    broker_passwords,
    database_passwords,
    make_keys,
    write_addresses,
    write_private,
)

_SUPERUSER_URL = "postgresql://postgres@/postgres?host=/var/run/postgresql"
"""By the server's socket: the access rules have no line for a superuser on the network."""
_SCHEMES = ("postgresql://", "postgres://")
_RABBITMQ = """\
load_definitions = /etc/rabbitmq/conf.d/definitions.json
loopback_users.guest = true
log.console = true
log.file = false
"""


def make_secrets(folder: Path, database: str, broker_host: str, names: tuple[str, ...]) -> None:
    """Keys, passwords and addresses for two servers of these names; never overwrites.

    Where AMQP_URL or AMQP_URL_<PROGRAM>_FILE is set, that is the broker, and it has to be prepared
    with `definitions`.

    `names` are those of the edge's development certificate; replace edge/tls.crt and edge/tls.key
    by your own for anything that others reach.
    """
    make_keys(folder)
    passwords = database_passwords(folder / "bootstrap")
    users = broker_passwords(folder / "bootstrap")
    if (password := folder / "rabbitmq" / "password").exists():  # made by an earlier release
        users[broker.ADMINISTRATOR] = password.read_text().strip()
    _kept(folder / "postgres" / "superuser_password")  # its image asks for one; nobody uses it
    write_private(folder / "bootstrap" / "superuser_url", _SUPERUSER_URL + "\n")
    write_private(folder / "rabbitmq" / "rabbitmq.conf", _RABBITMQ)
    write_private(folder / "rabbitmq" / "definitions.json", broker.definitions(users))
    write_addresses(
        folder,
        lambda role, service: (
            f"postgresql://{role_of(role)}:{passwords[role]}@{database}:5432/{role_of(service)}"
        ),
        broker.given_urls()
        or {name: broker.url_of(name, users[name], broker_host) for name in broker.NAMES},
    )
    if not (folder / "edge" / "tls.crt").exists():
        made = _certificate(folder / "certificates", names)
        write_private(folder / "edge" / "tls.crt", made.certificate.read_text())
        write_private(folder / "edge" / "tls.key", made.key.read_text())


def _certificate(folder: Path, names: tuple[str, ...]) -> certificates.ServerCertificate:
    try:
        return certificates.ensure(folder, names=names)
    except ValueError:
        wrong = f"{folder} holds something broken, or no certificate can be for {', '.join(names)}"
        raise ValueError(ascii(wrong)[1:-1]) from None


def _kept(path: Path) -> None:
    if not path.exists():
        write_private(path, secrets.token_urlsafe(32))


def main() -> None:
    """Run one of the two commands."""
    parser = argparse.ArgumentParser(prog="python -m ops.installation", description=__doc__)
    parser.add_argument("command", choices=["secrets", "bootstrap"])
    parser.add_argument("folder", type=Path)
    parser.add_argument("--database", default="postgres", help="host name of PostgreSQL")
    parser.add_argument("--broker", default="rabbitmq", help="host name of RabbitMQ")
    parser.add_argument("--name", action="append", help="name of the edge (repeat)")
    given = parser.parse_args()
    with in_words(f"{given.command} failed"):
        if given.command == "secrets":
            names = tuple(given.name or ("localhost",))
            _make_secrets(given.folder, given.database, given.broker, names)
        else:
            _bootstrap(given.folder)


def _make_secrets(folder: Path, database: str, broker_host: str, names: tuple[str, ...]) -> None:
    try:
        make_secrets(folder, database, broker_host, names)
    except UnicodeDecodeError:
        raise Unusable(f"a file in {folder}, or of an address, holds no text") from None
    except ValueError as broken:  # a file that is there, an address, a name
        raise Unusable(broken) from None


def _bootstrap(folder: Path) -> None:
    url = _superuser_url(folder / "superuser_url")
    try:
        passwords = database_passwords(folder)
    except ValueError as broken:
        raise Unusable(broken) from None
    asyncio.run(bootstrap(url, passwords))


def _superuser_url(file: Path) -> str:
    """Whatever is wrong with it, the words do not quote it: there may be a password in it."""
    try:
        url = file.read_text().strip()
        is_usable = url.startswith(_SCHEMES) and urlsplit(url).port != 0
    except ValueError:
        is_usable = False
    if not is_usable:
        raise Unusable(f"{file} holds no address such as {_SUPERUSER_URL}")
    return url


if __name__ == "__main__":
    main()
