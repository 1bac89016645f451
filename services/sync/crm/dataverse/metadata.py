"""Descriptions of tables and columns, read strictly: what is not as documented is no answer.

No word of a CRM's gets out of here but names, and labels to be compared with values.
"""

from typing import Annotated, Any, Literal, TypeVar

from pydantic import BaseModel, ConfigDict, StringConstraints
from pydantic.alias_generators import to_pascal

from kit import strict_json
from services.sync.egress import CallFailed, Reply

_Name = Annotated[str, StringConstraints(pattern=r"^[A-Za-z_][A-Za-z0-9_]{0,127}$")]
_Entry = TypeVar("_Entry", bound="_Described")
_Detail = TypeVar("_Detail", bound="ColumnDetail")


class _Described(BaseModel):
    """Members that nobody asked for are ignored; the others are never converted."""

    model_config = ConfigDict(
        strict=True,
        frozen=True,
        extra="ignore",
        alias_generator=to_pascal,
        hide_input_in_errors=True,
        allow_inf_nan=False,
    )


class Key(_Described):
    """An alternate key; `entity_key_index_status` says whether it can be used."""

    key_attributes: list[str]
    entity_key_index_status: Literal["Pending", "InProgress", "Active", "Failed"]


class Table(_Described):
    logical_name: _Name
    primary_id_attribute: _Name
    keys: list[Key]


class _Value(_Described):
    value: str


class Column(_Described):
    """A column without what only its type has; `type_name` is empty where it is not told."""

    logical_name: str
    attribute_type_name: _Value | None = None
    required_level: _Value | None = None
    is_valid_for_create: bool = False
    is_valid_for_update: bool = False

    @property
    def type_name(self) -> str:
        return self.attribute_type_name.value if self.attribute_type_name else ""

    @property
    def is_required(self) -> bool:
        """Of the levels only this one is enforced by the Web API."""
        return self.required_level is not None and self.required_level.value == "SystemRequired"


class ColumnDetail(_Described):
    """What only columns of one type have."""

    logical_name: str


class TextDetail(ColumnDetail):
    """A text; the unit of `max_length` is a UTF-16 code unit."""

    max_length: int | None


class NumberDetail(ColumnDetail):
    """A number; `precision` counts the digits behind the point."""

    min_value: int | float | None
    max_value: int | float | None
    precision: int | None = None
    precision_source: int | None = None


class MomentDetail(ColumnDetail):
    """A date or a moment."""

    date_time_behavior: _Value


class _Label(_Described):
    label: str | None = None


class _Labels(_Described):
    localized_labels: list[_Label] | None = None
    user_localized_label: _Label | None = None


class ChoiceOption(_Described):
    """One member of a choice, with its label in each language of the environment."""

    value: int
    label: _Labels | None = None

    @property
    def labels(self) -> set[str]:
        if self.label is None:
            return set()
        found = [*(self.label.localized_labels or ()), self.label.user_localized_label]
        return {one.label for one in found if one is not None and one.label}


class _OptionSet(_Described):
    options: list[ChoiceOption]


class ChoiceDetail(ColumnDetail):
    """A choice; its options are its own or those of a global one."""

    option_set: _OptionSet | None = None
    global_option_set: _OptionSet | None = None

    @property
    def options(self) -> list[ChoiceOption]:
        one = self.option_set or self.global_option_set
        return one.options if one is not None else []


class Relation(_Described):
    """Which table a lookup refers to, and the name (case matters) under which it is written."""

    referencing_attribute: str
    referenced_entity: str
    referencing_entity_navigation_property_name: _Name


class _Answer(BaseModel):
    value: list[dict[str, Any]]


def tables(reply: Reply) -> list[Table]:
    """The tables of a reply; raises CallFailed."""
    return _read(reply, Table)


def columns(reply: Reply) -> dict[str, Column]:
    """The columns of a reply by logical name; raises CallFailed."""
    return {column.logical_name: column for column in _read(reply, Column)}


def details(reply: Reply, shape: type[_Detail]) -> dict[str, _Detail]:
    """What the columns of one type have, by logical name; raises CallFailed."""
    return {one.logical_name: one for one in _read(reply, shape)}


def relations(reply: Reply) -> list[Relation]:
    """The lookups of a table; raises CallFailed."""
    return _read(reply, Relation)


def has_entries(reply: Reply) -> bool:
    """Whether the reply lists anything; raises CallFailed."""
    return bool(_rows(reply))


def _read(reply: Reply, shape: type[_Entry]) -> list[_Entry]:
    found = _rows(reply)
    try:
        return [shape.model_validate(one) for one in found]
    except ValueError:
        raise _undocumented() from None


def _rows(reply: Reply) -> list[dict[str, Any]]:
    if reply.status != 200:
        raise CallFailed(f"the CRM answered with status {reply.status}", sent=True)
    try:
        return _Answer.model_validate(strict_json.loads(reply.body)).value
    except ValueError:
        raise _undocumented() from None


def _undocumented() -> CallFailed:
    return CallFailed("the CRM's answer is not what the Web API documents", sent=True)
