"""What an app holds for those who answer its requests: typed, made once, asked for by kind.

Nothing else looks into the app's state: a rule test.
"""

from typing import Any, TypeVar

from fastapi import Depends, FastAPI, Request

T = TypeVar("T")


def put(app: FastAPI, *things: object) -> None:
    """Let the app hold the things; of one kind it holds one, so that the one before goes."""
    for thing in things:
        others = [one for one in _held(app) if not _are_of_one_kind(one, thing)]
        app.state.parts = [*others, thing]


def given(kind: type[T]) -> Any:
    """A dependency on the app's parts: `With = Annotated[SomeParts, given(SomeParts)]`."""

    async def _given(request: Request) -> T:  # not a thread for each request
        return parts_of(request.app, kind)

    return Depends(_given)


def parts_of(app: FastAPI, kind: type[T]) -> T:
    """What the app holds of this kind; TypeError where it holds nothing of it."""
    for one in _held(app):
        if isinstance(one, kind):
            return one
    names = ", ".join(type(one).__name__ for one in _held(app)) or "nothing"
    raise TypeError(f"the app holds {names}, no {kind.__name__}")


def _held(app: FastAPI) -> list[object]:
    held: list[object] = getattr(app.state, "parts", [])
    return held


def _are_of_one_kind(one: object, other: object) -> bool:
    return isinstance(one, type(other)) or isinstance(other, type(one))
