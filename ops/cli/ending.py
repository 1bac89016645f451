"""How a command ends: one sentence on standard error, and the code that programs go by."""

from typing import NoReturn

import typer

from ops import printing

REFUSED, USAGE, UNREACHABLE, TOO_SLOW, FAULT, INTERRUPTED = 1, 2, 3, 4, 70, 130


def fail(message: str, code: int) -> NoReturn:
    """Say why and end with the code."""
    printing.complain(" ".join(message.split()))
    raise typer.Exit(code)
