"""Runs `bulkhead` as an operator does: a process of its own, with a credentials file."""

import asyncio
import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any


class Shell:
    """`run` gives what came of the words; `json` wants them done and reads the result."""

    def __init__(self, credentials: Path) -> None:
        self.credentials = credentials

    async def run(
        self, *words: str, given: str = "", output: str = "json"
    ) -> subprocess.CompletedProcess[str]:
        command = [sys.executable, "-c", "from ops.cli import main; main()"]
        options = ["--credentials", str(self.credentials), "--output", output]
        return await asyncio.to_thread(
            subprocess.run,
            [*command, *options, *words],
            input=given,
            capture_output=True,
            text=True,
            timeout=120,
            env=os.environ | {"COLUMNS": "400"},  # no cell is broken for what others have made
        )

    async def json(self, *words: str, given: str = "") -> Any:
        done = await self.run(*words, given=given)
        assert done.returncode == 0, done.stderr
        return json.loads(done.stdout)
