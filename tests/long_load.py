"""A first load of 100,000 rows across kills, in the memory of a small one: of `make proof`."""

from tests.at_length import run

if __name__ == "__main__":
    run("tests/services/sync/test_sync_long_load.py", limit_s=1200, ROWS="100000")
