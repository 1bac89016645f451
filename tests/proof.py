"""`make proof`: everything that is statistical, timed or long, in one table with its limits.

Each line is a program of its own that fails when its limit is not kept; the table says which did,
and the whole fails with any of them. It takes under an hour on two cores.
"""

import subprocess
import sys
import time
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).parents[1]


@dataclass(frozen=True)
class Proof:
    """A claim, the program that proves it, and what it has to keep."""

    claim: str
    module: str
    limit: str
    arguments: tuple[str, ...] = ()


PROOFS = (
    Proof("a full volume stops who fills it", "tests.full_volume", "2 GB, the other writes on"),
    Proof("the API is as its document says", "tests.described", "no difference in 40 cases each"),
    Proof(
        "planted changes are noticed",
        "tests.planted",
        "90 % of each part, today's sixth",
        ("--rotate", "6"),
    ),
    Proof("200 rotations, kill -9 in each", "tests.rotations", "no push ends for credentials"),
    Proof("100,000 rows across kills", "tests.long_load", "all once, memory at most 1.3x"),
    Proof("both sides end equal", "tests.convergence", "no difference in 10,000 steps"),
    Proof("what one tenant may cost another", "bench.neighbours", "p99 at most 2x, each attack"),
    Proof("what many tenants cost at once", "bench.many_tenants", "no more than one by one"),
)


def main() -> None:
    lines = []
    for proof in PROOFS:
        print(f"\n== {proof.claim}", flush=True)
        begun = time.monotonic()
        command = [sys.executable, "-m", proof.module, *proof.arguments]
        ended = subprocess.run(command, cwd=ROOT, check=False)
        lines.append((proof, ended.returncode == 0, time.monotonic() - begun))
    print(f"\n{'claim':36}{'limit':32}{'kept':>6}{'minutes':>9}")
    for proof, kept, seconds in lines:
        print(f"{proof.claim:36}{proof.limit:32}{'yes' if kept else 'NO':>6}{seconds / 60:>9.1f}")
    sys.exit(0 if all(kept for _, kept, _ in lines) else 1)


if __name__ == "__main__":
    main()
