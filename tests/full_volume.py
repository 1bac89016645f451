"""One tenant fills a volume of 2 GB and the other writes on: a part of `make proof`, as root."""

import os
import sys

import pytest

TEST = "tests/services/tenants/test_tenants_full_volume.py"


def main() -> None:
    os.environ["VOLUME_MIB_TO_FILL"] = "2048"
    sys.exit(pytest.main(["-q", "-p", "no:cacheprovider", TEST]))


if __name__ == "__main__":
    main()
