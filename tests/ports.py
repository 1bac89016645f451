"""The ports of this test process: each of those that run side by side has a share of its own."""

import os

from ops.local.ports import Ports

_ALL, _METRICS = range(10_000, 30_000), 1_000
_SHARE = len(_ALL) // int(os.environ.get("PYTEST_XDIST_WORKER_COUNT", "1"))
_WORKER = int(os.environ.get("PYTEST_XDIST_WORKER", "gw0").removeprefix("gw"))
_FIRST = _ALL.start + _SHARE * _WORKER

PORTS = Ports(range(_FIRST, _FIRST + _SHARE - _METRICS))
"""A program's metrics are 1,000 above its port, still in the share."""
