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


def reachable(preferred: Path) -> Path:
    """`preferred`, or a folder under /var/tmp of the same meaning where that is out of reach.

    Nothing above `preferred` is changed: opening somebody's home folder is not ours to do.
    """
    preferred.mkdir(parents=True, exist_ok=True)
    if os.geteuid() != 0 or is_open_to_others(preferred.parent.resolve()):
        return preferred.resolve()
    digest = hashlib.sha256(str(preferred.resolve()).encode()).hexdigest()[:12]
    substitute = Path("/var/tmp") / f"bulkhead-{digest}"  # noqa: S108  # owner and mode are checked
    substitute.mkdir(mode=0o711, exist_ok=True)
    if substitute.stat().st_uid != os.geteuid() or substitute.is_symlink():
        raise PermissionError(f"{substitute} belongs to somebody else")
    return substitute
