"""A first load of 100,000 rows across kills, in the memory of a small one: of `make proof`."""

import os
import sys

import pytest

TEST = "tests/services/sync/test_sync_long_load.py"


def main() -> None:
    os.environ["ROWS"] = "100000"
    sys.exit(pytest.main(["-q", "-s", "-p", "no:cacheprovider", "-o", "timeout=1200", TEST]))


if __name__ == "__main__":
    main()
