"""Each release is named with its commit, and an installation that it has made is kept."""

import re
from pathlib import Path

from contracts.version import VERSION

ROOT = Path(__file__).parents[2]
RELEASES = re.findall(
    r"^## (\d+\.\d+\.\d+) - \d{4}-\d\d-\d\d, commit ([0-9a-f]{7,})$",
    (ROOT / "CHANGELOG.md").read_text(),
    re.MULTILINE,
)
HEADINGS = re.findall(r"^## (.+)$", (ROOT / "CHANGELOG.md").read_text(), re.MULTILINE)


def test_every_release_names_its_commit() -> None:
    assert HEADINGS[0] == "Unreleased"
    assert len(RELEASES) == len(HEADINGS) - 1 >= 1


def test_what_a_release_has_left_is_what_the_upgrade_begins_with() -> None:
    archives = {one.name.split(".")[0] for one in (ROOT / "tests" / "yesterday").glob("*.tar.xz")}
    assert {commit for _, commit in RELEASES} <= archives


def test_what_is_not_released_has_a_version_of_its_own() -> None:
    assert VERSION not in dict(RELEASES)


def test_the_version_is_read_from_its_one_place() -> None:
    """What was installed once says what it was then, and images have nothing installed."""
    product = ("contracts", "gateway", "kit", "ops", "services", "tenantdb")
    files = [path for part in product for path in (ROOT / part).rglob("*.py")]
    assert [str(one) for one in files if "metadata.version" in one.read_text()] == []
