"""No request model makes many faults of one body: they are bounded where they are found; and each
takes every form that JSON has for a whole number."""

from collections.abc import Iterator, Mapping, Sequence
from typing import Annotated, Any, get_args, get_origin

from fastapi import FastAPI
from fastapi.routing import APIRoute, iter_route_contexts
from pydantic import BaseModel, TypeAdapter, ValidationError

from contracts.schema import WHOLE
from kit.problems import MAX_FAULTS

MANY = 9_000
AT_MOST = 1_000
"""A list stops at its first fault; a mapping of at most 500 entries may have two for each."""


def bodies(app: FastAPI) -> Iterator[type[BaseModel]]:
    for context in iter_route_contexts(app.routes):
        route = context.original_route
        for parameter in route.dependant.body_params if isinstance(route, APIRoute) else ():
            model: Any = parameter.field_info.annotation
            yield model


def faults(model: type[BaseModel], body: Mapping[str, Any]) -> int:
    try:
        TypeAdapter(model).validate_python(body)
    except ValidationError as error:
        return error.error_count()
    return 0


def test_a_body_of_many_faults_makes_few(apps):
    seen = 0
    for app in apps.values():
        for model in bodies(app):
            seen += 1
            required = len(model.model_fields)
            unknown = dict.fromkeys((f"m{number}" for number in range(MANY)), 1)
            assert faults(model, unknown) <= MAX_FAULTS + 1 + required, model
            for name, field in model.model_fields.items():
                for bad in ([None] * MANY, [None] * 400, dict.fromkeys(unknown), {}):
                    found = faults(model, {name: bad})
                    bound = AT_MOST if get_origin(field.annotation) is dict else MAX_FAULTS
                    assert found <= bound + required, f"{model}.{name}"
    assert seen > 15


def numbers(model: type[BaseModel]) -> Iterator[tuple[str, Sequence[Any]]]:
    """The whole numbers of a model and of those in it, each with what its type says besides."""
    for name, field in model.model_fields.items():
        yield from (
            (f"{model.__name__}.{name}", said) for said in _whole(field.annotation, field.metadata)
        )


def _whole(annotation: Any, said: Sequence[Any] = ()) -> Iterator[Sequence[Any]]:
    if annotation is int:
        yield said
    elif isinstance(annotation, type) and issubclass(annotation, BaseModel):
        yield from (one for _, one in numbers(annotation))
    elif get_origin(annotation) is Annotated:
        inner, *rest = get_args(annotation)
        yield from _whole(inner, rest)
    else:
        for inner in get_args(annotation):
            yield from _whole(inner, said)


def test_every_whole_number_of_a_body_may_be_written_with_a_point(apps):
    """A JSON schema's integer may be: 2.0 is 2."""
    found = [one for app in apps.values() for model in bodies(app) for one in numbers(model)]
    assert len(found) > 4
    assert [name for name, said in found if WHOLE not in said] == []
