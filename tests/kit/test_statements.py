"""A file of named statements is read whole, or refused."""

from pathlib import Path

import pytest

from kit import statements


def written(folder: Path, text: str) -> Path:
    path = folder / "some.sql"
    path.write_text(text)
    return path


def test_each_statement_has_its_name_and_may_hold_comments_of_its_own(tmp_path: Path) -> None:
    text = "-- one: the first\nSELECT 1\n-- not a name\n\n-- two: the second\nSELECT 2\n"
    assert statements.load(written(tmp_path, text)) == {
        "one": "SELECT 1\n-- not a name",
        "two": "SELECT 2",
    }


@pytest.mark.parametrize(
    "text",
    [
        "SELECT 1\n",
        "SELECT 0\n-- one: the first\nSELECT 1\n",
        "-- one: the first\nSELECT 1\n-- one: again\nSELECT 2\n",
        "-- one: the first\n-- two: the second\nSELECT 2\n",
    ],
    ids=["no name", "text before", "a name twice", "a name without a statement"],
)
def test_anything_else_is_refused(text: str, tmp_path: Path) -> None:
    path = written(tmp_path, text)
    with pytest.raises(ValueError, match="named statements"):
        statements.load(path)
