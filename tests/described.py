"""Generated requests, many for each operation of the API document: a part of `make proof`."""

import os
import sys

import pytest

TEST = "tests/journeys/test_journey_api_described.py"


def main() -> None:
    os.environ["DESCRIBED_CASES"] = "40"
    sys.exit(pytest.main(["-q", "-p", "no:cacheprovider", TEST]))


if __name__ == "__main__":
    main()
