"""Descriptions of tables and columns, read strictly: what is not as documented is no answer."""

from typing import Annotated, Generic, Literal, TypeVar

from pydantic import BaseModel, ConfigDict, StringConstraints
from pydantic.alias_generators import to_pascal

from kit import strict_json
from services.sync.egress import CallFailed, Reply

_Name = Annotated[str, StringConstraints(pattern=r"^[A-Za-z_][A-Za-z0-9_]{0,127}$")]


_Entry = TypeVar("_Entry")


class _Described(BaseModel):
    """Members that nobody asked for are ignored; the others are never converted."""

    model_config = ConfigDict(
        strict=True,
        frozen=True,
        extra="ignore",
        alias_generator=to_pascal,
        hide_input_in_errors=True,
    )


class Key(_Described):
    """An alternate key; `entity_key_index_status` says whether it can be used."""

    key_attributes: list[str]
    entity_key_index_status: Literal["Pending", "InProgress", "Active", "Failed"]


class Table(_Described):
    logical_name: _Name
    primary_id_attribute: _Name
    keys: list[Key]


class Column(_Described):
    logical_name: str
    is_valid_for_create: bool = False
    is_valid_for_update: bool = False


class _Any(_Described):
    """An entry of which nothing is asked but that it is there."""


class _Answer(BaseModel, Generic[_Entry]):
    value: list[_Entry]


def tables(reply: Reply) -> list[Table]:
    """The tables of a reply; raises CallFailed."""
    return _read(reply, _Answer[Table])


def columns(reply: Reply) -> dict[str, Column]:
    """The columns of a reply by logical name; raises CallFailed."""
    return {column.logical_name: column for column in _read(reply, _Answer[Column])}


def has_entries(reply: Reply) -> bool:
    """Whether the reply lists anything; raises CallFailed."""
    return bool(_read(reply, _Answer[_Any]))


def _read(reply: Reply, shape: type[_Answer[_Entry]]) -> list[_Entry]:
    if reply.status != 200:
        raise CallFailed(f"the CRM answered with status {reply.status}", sent=True)
    try:
        return shape.model_validate(strict_json.loads(reply.body)).value
    except ValueError:
        raise CallFailed("the CRM's answer is not what the Web API documents", sent=True) from None
