"""What has been applied somewhere stays as it was applied, byte for byte, includes and all."""

import hashlib
from pathlib import Path

import pytest

from kit.migrate import files, includes, read

ROOT = Path(__file__).parents[2]
STEPS = sorted(path.name[:3] for path in (ROOT / "kit" / "outbox").glob("*.sql"))
LISTED = dict(
    line.split("  ")[::-1]
    for line in (ROOT / "tests" / "migrations.sha256").read_text().split("\n")[:-1]
)
CONTROL = [*ROOT.glob("services/*/migrations"), ROOT / "gateway" / "migrations"]


@pytest.mark.parametrize("name", LISTED)
def test_a_listed_migration_is_what_it_was(name: str) -> None:
    """Otherwise every existing database answers MigrationChanged at the next start."""
    assert hashlib.sha256(read(ROOT / name).encode()).hexdigest() == LISTED[name]


def test_every_migration_is_listed() -> None:
    """Also one that no release has: somebody's installation follows the main line."""
    folders = (*CONTROL, ROOT / "tenantdb" / "migrations")
    there = {str(one.relative_to(ROOT)) for folder in folders for one in files(folder)}
    assert there == LISTED.keys()


@pytest.mark.parametrize("folder", CONTROL, ids=lambda one: one.parent.name)
def test_every_service_takes_every_step_of_the_outbox_once_in_order(folder: Path) -> None:
    assert [number for path in files(folder) for _, number in includes(path)] == STEPS
