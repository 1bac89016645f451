"""Values of ours as options of a choice: by the mapping's table, else by label or number; pure."""

import re
from collections import Counter
from collections.abc import Callable, Mapping

from services.sync.crm.dataverse.refused_values import NotConvertible

_NUMBER = re.compile("-?[0-9]{1,10}")
_NONE = "the value is not one of the column's options"


def one_of(
    options: Mapping[int, frozenset[str]], table: Mapping[str, int]
) -> Callable[[object], int]:
    """The number of an option; a label that two options have names neither."""
    counted = Counter(label for labels in options.values() for label in labels)
    named = {
        label: number
        for number, labels in options.items()
        for label in labels
        if counted[label] == 1
    }
    named |= table

    def convert(value: object) -> int:
        if isinstance(value, bool):
            value = "true" if value else "false"
        number = named.get(str(value)) if isinstance(value, str | int) else None
        if number is None:
            number = _numbered(value)
        if number is None or number not in options:
            raise NotConvertible(_NONE)
        return number

    return convert


def some_of(
    options: Mapping[int, frozenset[str]], table: Mapping[str, int]
) -> Callable[[object], str]:
    """The numbers of some options with commas between them; ours are told apart by semicolons."""
    one = one_of(options, table)

    def convert(value: object) -> str:
        try:
            return str(one(value))
        except NotConvertible:
            if not isinstance(value, str) or ";" not in value:
                raise
        names = [name.strip() for name in value.split(";")]
        return ",".join(map(str, sorted({one(name) for name in names if name})))

    return convert


def _numbered(value: object) -> int | None:
    if isinstance(value, int):
        return value
    return int(value) if isinstance(value, str) and _NUMBER.fullmatch(value) else None
