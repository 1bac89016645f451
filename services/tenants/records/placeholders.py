"""Values of a statement that is put together from parts: bound by number, never interpolated."""

from collections.abc import Iterable

from tenantdb import array


class Binds:
    """Collects the arguments of one statement; every value travels as text and is cast in SQL."""

    def __init__(self, *values: str | None) -> None:
        self.values: list[str | None] = list(values)

    def add(self, value: object) -> str:
        """The placeholder of one value, as text."""
        self.values.append(None if value is None else str(value))
        return f"${len(self.values)}::text"

    def add_array(self, values: Iterable[object], of: str) -> str:
        """The placeholder of an array with elements of the type `of`."""
        return f"{self.add(array(list(values)))}::{of}[]"
