"""An app holds one thing of a kind, and gives it by its type or says what is missing."""

import pytest
from fastapi import FastAPI

from kit.http import parts_of, put


class Animal: ...


class Dog(Animal): ...


class Stone: ...


def test_what_was_put_is_found_by_its_kind_or_the_kind_above():
    app, dog, stone = FastAPI(), Dog(), Stone()
    put(app, dog, stone)
    assert parts_of(app, Dog) is dog
    assert parts_of(app, Animal) is dog
    assert parts_of(app, Stone) is stone


@pytest.mark.parametrize(("first", "second"), [(Dog, Dog), (Animal, Dog), (Dog, Animal)])
def test_of_one_kind_the_last_is_held(first, second):
    """Otherwise a verifier that was put in place of another would not be asked."""
    app, last, stone = FastAPI(), second(), Stone()
    put(app, first(), stone)
    put(app, last)
    assert parts_of(app, Animal) is last
    assert parts_of(app, Stone) is stone


def test_what_is_missing_is_named_beside_what_is_there():
    app = FastAPI()
    with pytest.raises(TypeError, match="the app holds nothing, no Stone"):
        parts_of(app, Stone)
    put(app, Dog())
    with pytest.raises(TypeError, match="the app holds Dog, no Stone"):
        parts_of(app, Stone)
