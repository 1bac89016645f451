"""How a command that a person runs ends where something outside of it is wrong: one sentence on
stderr and a code (2: what was handed over, 3: a server that does not do its part). What has no
known cause is a fault of ours and keeps its traceback."""

import contextlib
import sys
from collections.abc import Iterator

from kit.causes import UNKNOWN, cause_of

USAGE, UNREACHABLE = 2, 3


class Unusable(Exception):
    """What was handed over cannot be used; the text names it and never quotes a secret."""


@contextlib.contextmanager
def in_words(doing: str, server: str = "PostgreSQL") -> Iterator[None]:
    """End the process with a sentence that begins with `doing`; `server` is whom it calls."""
    try:
        yield
    except Unusable as error:
        _end(f"{doing}: {error}", USAGE)
    except OSError as error:
        if error.filename is not None:
            _end(f"{doing}: {error.filename}: {error.strerror}", USAGE)
        cause = cause_of(error)
        _end(f"{doing}: {server}: {'it does not answer' if cause == UNKNOWN else cause}")
    except Exception as error:
        if (cause := cause_of(error)) == UNKNOWN:
            raise
        _end(f"{doing}: {server}: {cause}")


def _end(sentence: str, code: int = UNREACHABLE) -> None:
    sys.stderr.write(" ".join(sentence.split()) + "\n")
    raise SystemExit(code) from None
