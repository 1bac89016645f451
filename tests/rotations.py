"""200 rotations of a secret under load, kill -9 in each: a part of `make proof`."""

from tests.at_length import run

if __name__ == "__main__":
    run("tests/services/sync/test_sync_rotations_killed.py", limit_s=3600, ROTATIONS="200")
