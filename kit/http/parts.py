"""What a service's routes work with: one typed object, made once and given to each route."""

from typing import Any, TypeVar

from fastapi import Depends, FastAPI, Request

T = TypeVar("T")


def given(kind: type[T]) -> Any:
    """A dependency on the app's parts: `With = Annotated[SomeParts, given(SomeParts)]`."""

    async def _given(request: Request) -> T:  # not a thread for each request
        return parts_of(request.app, kind)

    return Depends(_given)


def parts_of(app: FastAPI, kind: type[T]) -> T:
    """The parts that the app was built with; TypeError where they are of another kind."""
    parts = app.state.parts
    if not isinstance(parts, kind):
        raise TypeError(f"the app is made of {type(parts).__name__}, not of {kind.__name__}")
    return parts
