"""Tells the story on a terminal: each step with what it proved and how long it took."""

import contextlib
import time
from collections.abc import Callable, Iterator

from ops.printing import say


class StepFailed(Exception):
    """A step of the story did not prove what it claims."""


Prove = Callable[[str], None]


class Teller:
    """Numbers the steps; a step that raises is told as failed and ends the story."""

    def __init__(self) -> None:
        self._begun = time.monotonic()
        self.steps = self.proofs = 0

    @contextlib.contextmanager
    def step(self, title: str) -> Iterator[Prove]:
        """A step; the block calls what it is given with each thing that it proved."""
        self.steps += 1
        begun = time.monotonic()
        proofs: list[str] = []
        try:
            yield proofs.append
        except BaseException as error:
            self._line("red", "failed", title, time.monotonic() - begun, proofs)
            say("       ", (f"{type(error).__name__}:", "red"), f" {error}")
            raise
        self.proofs += len(proofs)
        self._line("green", "proved", title, time.monotonic() - begun, proofs)

    def end(self) -> None:
        """The closing line."""
        seconds = time.monotonic() - self._begun
        say("")
        say((f"{self.steps} steps, {self.proofs} facts proved in {seconds:.1f} s", "bold"))

    def _line(self, colour: str, word: str, title: str, seconds: float, proofs: list[str]) -> None:
        head = (f"{self.steps:>3}. {title}", "bold")
        say(head, "  ", (word, colour), (f" {seconds:.1f} s", "dim"))
        for proof in proofs:
            say("       ", ("·", colour), f" {proof}")


def must(holds: object, claim: str) -> None:
    """Raise StepFailed with the claim unless it holds."""
    if not holds:
        raise StepFailed(f"not so: {claim}")
