"""Generated requests, many for each operation of the API document: a part of `make proof`."""

from tests.at_length import run

if __name__ == "__main__":
    run("tests/journeys/test_journey_api_described.py", limit_s=1200, DESCRIBED_CASES="40")
