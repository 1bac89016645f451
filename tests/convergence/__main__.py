"""`python -m tests.convergence [SEED]`: the long run, as a part of `make proof`.

Ten stories of a thousand operations each, with policies of their own, two at a time; the last one
has a real RabbitMQ, which is killed and away for a minute.
"""

import json
import os
import re
import subprocess
import sys
import time
from collections import Counter
from collections.abc import Iterable, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

ROOT = Path(__file__).parents[2]
OPERATIONS, STORIES, AT_ONCE, MOST_S = 1000, 10, 2, 400.0
TEST = "tests/convergence"


def main() -> None:
    first, begun = int(sys.argv[1]) if len(sys.argv) > 1 else 1, time.monotonic()
    seeds = range(first, first + STORIES)
    with ThreadPoolExecutor(AT_ONCE) as pool:
        told = list(
            pool.map(_play, reversed(seeds), (seed == seeds[-1] for seed in reversed(seeds)))
        )
    done = [one for one in told if one is not None]
    for line in _summed(done, time.monotonic() - begun):
        print(line)
    sys.exit(0 if len(done) == STORIES else 1)


def _play(seed: int, has_broker: bool) -> dict[str, Any] | None:
    """What was done in one story; None where it did not end well, and then all that it said."""
    given = {"CONVERGENCE": f"{OPERATIONS}", "CONVERGENCE_SEEDS": f"{seed}"}
    given |= {"CONVERGENCE_BROKER": "1" if has_broker else ""}
    command = [sys.executable, "-m", "pytest", "-q", "-s", "-p", "no:cacheprovider"]
    command += ["-o", f"timeout={MOST_S:.0f}", TEST]
    ended = subprocess.run(
        command, cwd=ROOT, env=os.environ | given, check=False, capture_output=True, text=True
    )
    found = re.search("^told (.*)$", ended.stdout, re.MULTILINE)
    if ended.returncode or found is None:
        print(ended.stdout, ended.stderr, f"seed {seed}: not equal", sep="\n", flush=True)
        return None
    done: dict[str, Any] = json.loads(found[1])
    heads = [line for line in ended.stdout.splitlines() if line.startswith("seed ")]
    print(*heads, f"  equal after {done['seconds']} s", flush=True)
    return done


def _summed(done: Sequence[dict[str, Any]], seconds: float) -> Iterable[str]:
    operations, calls, rows = (sum(one[name] for one in done) for name in _COUNTED)
    yield f"{operations} operations in {len(done)} stories, {calls} calls with {rows} rows"
    for name in ("deeds", "troubles"):
        every = sum((Counter(one[name]) for one in done), Counter[str]())
        yield f"{name}: " + ", ".join(f"{key} {times}" for key, times in every.most_common())
    yield f"{seconds / 60:.1f} minutes, {AT_ONCE} stories at a time"


_COUNTED = ("operations", "calls", "rows")

if __name__ == "__main__":
    main()
