"""How answers on a connection look that are more than one thing or one list."""

from collections.abc import Mapping
from typing import Any, get_args

from ops.cli.ending import REFUSED, fail
from ops.cli.session import Output, Session
from services.sync.connection import OutcomeState

_COUNTED = (
    *("module", "create", "change", "unchanged", "delete", "deactivate", "refuse"),
    "faults",
)
_LOOKED_AT = ("module", "would", "record", "key", "columns", "reason")
_STEPS = ("step", "ok", "reason", "note")


def show_dry_run(here: Session, answer: Mapping[str, Any]) -> None:
    """Counts per module, and below them the rows that were looked at."""
    modules = answer["modules"]
    here.show(modules, _COUNTED)
    rows = [{"module": one["module"], **row} for one in modules for row in one["rows"]]
    if here.output is Output.TABLE and rows:
        here.show(rows, _LOOKED_AT)


def show_comparison(here: Session, answer: Mapping[str, Any]) -> None:
    """A line for each module: our records, and what became of them by state."""
    states = get_args(OutcomeState)
    rows = [
        {"module": name, "ours": one["ours"], **dict.fromkeys(states, 0), **one["outcomes"]}
        for name, one in dict(answer["modules"]).items()
    ]
    here.show(rows, ("module", "ours", *states))


def show_probe(here: Session, answer: Mapping[str, Any]) -> None:
    """What was looked at; ends the program where something is not well."""
    if here.output is Output.JSON:
        here.show_one(answer)
    else:
        here.show(answer["steps"], _STEPS)
    if not answer["ok"]:
        failed = answer["steps"][-1]
        fail(f"{failed['step']}: {failed['reason']}", REFUSED)
