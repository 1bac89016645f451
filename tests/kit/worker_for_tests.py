"""A worker for the tests of kit.workers: does what its input says."""

import os
import time

from kit.workers import serve


def work(given: bytes) -> bytes:
    match given:
        case b"pid":
            return b"%d" % os.getpid()
        case b"environment":
            return b",".join(os.environb)
        case b"nice":
            return b"%d" % os.nice(0)
        case b"hang":
            time.sleep(3600)
        case b"eat":
            return b"x" * (1 << 29)
        case b"die":
            os._exit(1)
        case b"fail":
            raise ValueError(given)
    return given


if __name__ == "__main__":
    serve(work)
