"""`python -m tests.convergence [SEED]`: the long run, as a part of `make proof`.

Ten stories of a thousand operations each, with policies of their own; a quarter of an hour at most.
"""

import os
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).parents[2]
OPERATIONS, STORIES, MOST_S = "1000", 10, 900.0
TEST = "tests/convergence"


def main() -> None:
    first = int(sys.argv[1]) if len(sys.argv) > 1 else 1
    seeds = ",".join(str(first + number) for number in range(STORIES))
    told = {"CONVERGENCE": OPERATIONS, "CONVERGENCE_SEEDS": seeds}
    command = [sys.executable, "-m", "pytest", "-q", "-s", "-p", "no:cacheprovider"]
    command += ["-o", f"timeout={MOST_S:.0f}", TEST]
    try:
        ended = subprocess.run(
            command, cwd=ROOT, env=os.environ | told, check=False, timeout=MOST_S
        )
    except subprocess.TimeoutExpired:
        sys.exit(f"not at its end after {MOST_S:.0f} s")
    sys.exit(ended.returncode)


if __name__ == "__main__":
    main()
