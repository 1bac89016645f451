"""Runs one test at the length that it has in `make proof`; `make test` runs it short."""

import os
import sys
from typing import NoReturn

import pytest


def run(test: str, *, limit_s: int, **told: str) -> NoReturn:
    """`told` is what the test reads from the environment; the exit code is the test's."""
    os.environ.update(told)
    sys.exit(pytest.main(["-q", "-s", "-p", "no:cacheprovider", "-o", f"timeout={limit_s}", test]))
