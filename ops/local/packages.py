"""Debian packages that a fresh machine lacks: installed by root, once, nothing of them started."""

import contextlib
import fcntl
import os
import shutil
import subprocess
from collections.abc import Callable, Iterator
from pathlib import Path

_INSTALLING = Path("/run/lock/bulkhead-install")
_START_POLICY = Path("/usr/sbin/policy-rc.d")


class NotInstalled(Exception):
    """The package is not there and could not be installed; the text says why."""


def ensure(package: str, is_there: Callable[[], bool]) -> None:
    """Install `package` unless `is_there`; NotInstalled where we may not, or apt-get failed."""
    if is_there():
        return
    if os.geteuid() != 0 or shutil.which("apt-get") is None:
        raise NotInstalled(f"only root on Debian and its kin can install {package} by itself")
    with _one_at_a_time():
        if not is_there():
            with _services_stay_off():
                _apt_get("update")
                _apt_get("install", "-y", "--no-install-recommends", package)


@contextlib.contextmanager
def _one_at_a_time() -> Iterator[None]:
    """Launchers and tests side by side wait for the first one's installation."""
    with _INSTALLING.open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        yield


@contextlib.contextmanager
def _services_stay_off() -> Iterator[None]:
    """Keep the package from starting a server of its own; the machine's own policy stays."""
    if _START_POLICY.exists():
        yield
        return
    _START_POLICY.write_text("#!/bin/sh\nexit 101\n")
    _START_POLICY.chmod(0o755)
    try:
        yield
    finally:
        _START_POLICY.unlink()


def _apt_get(*arguments: str) -> None:
    done = subprocess.run(
        ["apt-get", "-q", "-o", "DPkg::Lock::Timeout=120", *arguments],
        env=os.environ | {"DEBIAN_FRONTEND": "noninteractive", "RUNLEVEL": "1"},
        capture_output=True,
        text=True,
        check=False,
    )
    if done.returncode != 0:
        raise NotInstalled(f"apt-get {arguments[0]} failed:\n{done.stderr[-2000:]}")
