"""One tenant fills a volume of 2 GB and the other writes on: a part of `make proof`, as root."""

from tests.at_length import run

if __name__ == "__main__":
    path = "tests/services/tenants/test_tenants_full_volume.py"
    run(path, limit_s=600, VOLUME_MIB_TO_FILL="2048")
