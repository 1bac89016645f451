"""`python -m tests.convergence`: the long run, as a part of `make proof`."""

import os
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).parents[2]
OPERATIONS = "10000"


def main() -> None:
    command = [sys.executable, "-m", "pytest", "-q", "tests/convergence"]
    environment = {**os.environ, "CONVERGENCE": OPERATIONS}
    sys.exit(subprocess.run(command, cwd=ROOT, env=environment, check=False).returncode)


if __name__ == "__main__":
    main()
