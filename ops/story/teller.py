"""Tells the story on a terminal: each step with what it proved and how long it took."""

import contextlib
import time
from collections.abc import Callable, Iterator

from rich.console import Console


class StepFailed(Exception):
    """A step of the story did not prove what it claims."""


Prove = Callable[[str], None]


class Teller:
    """Numbers the steps; a step that raises is told as failed and ends the story."""

    def __init__(self, console: Console) -> None:
        self._console, self._begun = console, time.monotonic()
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
            self._console.print(f"       [red]{type(error).__name__}:[/] {error}", highlight=False)
            raise
        self.proofs += len(proofs)
        self._line("green", "proved", title, time.monotonic() - begun, proofs)

    def end(self) -> None:
        """The closing line."""
        seconds = time.monotonic() - self._begun
        self._console.print(
            f"\n[bold]{self.steps} steps, {self.proofs} facts proved in {seconds:.1f} s[/]",
            highlight=False,
        )

    def _line(self, colour: str, word: str, title: str, seconds: float, proofs: list[str]) -> None:
        head = f"[bold]{self.steps:>3}. {title}[/]  [{colour}]{word}[/] [dim]{seconds:.1f} s[/]"
        self._console.print(head, highlight=False, soft_wrap=True)
        for proof in proofs:
            self._console.print(f"       [{colour}]·[/] {proof}", highlight=False, soft_wrap=True)


def must(holds: object, claim: str) -> None:
    """Raise StepFailed with the claim unless it holds."""
    if not holds:
        raise StepFailed(f"not so: {claim}")
