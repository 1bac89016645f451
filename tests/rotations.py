"""200 rotations of a secret under load, kill -9 in each: a part of `make proof`."""

import os
import sys

import pytest

TEST = "tests/services/sync/test_sync_rotations_killed.py"


def main() -> None:
    os.environ["ROTATIONS"] = "200"
    sys.exit(pytest.main(["-q", "-s", "-p", "no:cacheprovider", "-o", "timeout=3600", TEST]))


if __name__ == "__main__":
    main()
