"""Servers never run as root: as root, each gets an ordinary account and folders it can reach."""

import hashlib
import os
import pwd
import stat
import subprocess
from pathlib import Path

_ACCOUNT = "bulkhead"


def server_account() -> pwd.struct_passwd | None:
    """The account for servers: None (the present user) unless this is root."""
    if os.geteuid() != 0:
        return None
    try:
        return pwd.getpwnam(_ACCOUNT)
    except KeyError:
        command = ["useradd", "--system", "--no-create-home", "--shell", "/usr/sbin/nologin"]
        subprocess.run([*command, _ACCOUNT], check=True, capture_output=True)
    return pwd.getpwnam(_ACCOUNT)


def is_open_to_others(path: Path) -> bool:
    """True if an ordinary account can walk down to `path`."""
    return all(folder.stat().st_mode & stat.S_IXOTH for folder in [path, *path.parents])


def own_copied(tree: Path, account: pwd.struct_passwd | None) -> None:
    """A copy of a server's data that root has made belongs to root: give it to the account."""
    if account is None or not tree.exists() or tree.stat().st_uid == account.pw_uid:
        return
    for path in [tree, *tree.rglob("*")]:
        os.chown(path, account.pw_uid, account.pw_gid, follow_symlinks=False)


def reachable(preferred: Path, *, longest: int, open_to_others: bool = False) -> Path:
    """`preferred`, or a folder of ours under /var/tmp where that cannot serve.

    It cannot where its path is longer than `longest` (unix sockets have about 100 characters), or
    where an ordinary account must walk down to it and may not. Nothing above `preferred` is
    changed: opening somebody's home folder is not ours to do.
    """
    preferred = preferred.resolve()
    preferred.parent.mkdir(parents=True, exist_ok=True)
    in_reach = not open_to_others or os.geteuid() != 0 or is_open_to_others(preferred.parent)
    place = preferred if in_reach and len(str(preferred)) <= longest else _substitute(preferred)
    place.mkdir(mode=0o711 if open_to_others else 0o700, exist_ok=True)
    return place


def _substitute(preferred: Path) -> Path:
    """The same every time, so that a later start finds its data again."""
    digest = hashlib.sha256(str(preferred).encode()).hexdigest()[:12]
    place = Path("/var/tmp") / f"bulkhead-{digest}"  # noqa: S108  # its owner is checked
    if place.is_symlink() or (place.exists() and place.stat().st_uid != os.geteuid()):
        raise PermissionError(f"{place} belongs to somebody else")
    return place
