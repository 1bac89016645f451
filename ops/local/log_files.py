"""Log files of bounded size: lines go through a pipe, so that none is lost while files change."""

import json
import os
import re
import threading
from pathlib import Path
from typing import BinaryIO

MOST = 16 * 1024 * 1024
"""Bytes of a log file; beside it stands at most one older one of the same size."""
_PIECE = 64 * 1024
_TELLING = re.compile(r"FATAL|PANIC|ERROR|critical|Error|BOOT FAILED|error:|does not start|refuse")
_LONGEST_REASON = 400


class LogFile:
    """The output of one program, start after start; only its owner can read it."""

    def __init__(self, path: Path, most: int = MOST) -> None:
        self.path, self._most = path, most
        self._begun_at = 0
        self._following: threading.Thread | None = None

    def open(self) -> int:
        """The end that a program writes to; the caller closes its own copy after the start."""
        self._join()
        reading, writing = os.pipe()
        file = self._append()
        self._begun_at = file.tell()
        self._following = threading.Thread(
            target=self._follow, args=(reading, file), name=f"log {self.path.name}", daemon=True
        )
        self._following.start()
        return writing

    def reason(self) -> str:
        """Why the program of the last `open` ended, as far as it said so; and where the rest is."""
        self._join()
        return f"{reason_in(self.since_start())} (see {self.path})"

    def since_start(self) -> str:
        """The last of what came since the last `open`."""
        try:
            with self.path.open("rb") as file:
                size = file.seek(0, os.SEEK_END)
                begun = self._begun_at if self._begun_at <= size else 0
                file.seek(max(begun, size - _PIECE))
                return file.read().decode(errors="replace")
        except OSError:
            return ""

    def _append(self) -> BinaryIO:
        flags = os.O_WRONLY | os.O_CREAT | os.O_APPEND
        file = os.fdopen(os.open(self.path, flags, 0o600), "ab", buffering=0)
        file.seek(0, os.SEEK_END)
        return file

    def _follow(self, reading: int, file: BinaryIO) -> None:
        """Until nobody holds the writing end any more."""
        with os.fdopen(reading, "rb", buffering=0) as source:
            while piece := source.read(_PIECE):
                file = self._write(file, piece)
        file.close()

    def _write(self, file: BinaryIO, piece: bytes) -> BinaryIO:
        if file.tell() + len(piece) > self._most:
            cut = piece.find(b"\n") + 1
            file.write(piece[:cut])
            file.close()
            self.path.replace(self.path.with_name(f"{self.path.name}.1"))
            file, piece = self._append(), piece[cut:]
        file.write(piece)
        return file

    def _join(self) -> None:
        """Programs that live on may hold the pipe: then what is there has to do."""
        if self._following is not None:
            self._following.join(timeout=1.0)


def reason_in(text: str) -> str:
    """The last line that tells of an error, or the last one: in one line, and not too long."""
    lines = [line.strip() for line in text.splitlines() if line.strip()]
    telling = [line for line in lines if _TELLING.search(line)] or lines or ["it said nothing"]
    return " ".join(_in_words(telling[-1]).split())[:_LONGEST_REASON]


def _in_words(line: str) -> str:
    try:
        entry = json.loads(line)
    except ValueError:
        return line
    if not isinstance(entry, dict):
        return line
    parts = [entry.get(name) for name in ("message", "dependency", "reason", "error")]
    return ": ".join(str(part) for part in parts if part)
