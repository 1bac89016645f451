"""No setting and no environment variable reaches the guard: production has one way out."""

import inspect
from pathlib import Path

import pytest

from kit.http import parts_of
from services.sync.app import create_app
from services.sync.egress import Egress
from services.sync.parts import SyncParts
from services.sync.settings import SyncSettings
from tests.services.sync.running_sync import settings_for

SYNC = Path(__file__).parents[3] / "services" / "sync"


def test_the_guard_is_overridden_only_by_an_argument_of_create_app() -> None:
    assert list(inspect.signature(create_app).parameters) == [
        "settings",
        "egress",
        "broker",
        "tenants",
    ]
    settings = set(SyncSettings.model_fields)
    for word in ("resolver", "trust", "inject", "loopback", "insecure", "verify", "proxy", "dial"):
        assert not any(word in name for name in settings)
    assert {name for name in settings if "egress" in name} == {"egress_addresses"}


def test_the_guard_reads_neither_settings_nor_environment() -> None:
    for path in [*(SYNC / "egress").glob("*.py"), *(SYNC / "revocation").glob("*.py")]:
        source = path.read_text()
        assert "environ" not in source.replace("environment", ""), path
        assert "getenv" not in source, path
        assert "settings" not in source.replace("no setting", ""), path


def test_only_the_guard_and_nothing_else_in_sync_opens_connections() -> None:
    forbidden = ("httpcore2", "httpx2", "import socket", "asyncio.open_connection", "import ssl")
    for path in SYNC.rglob("*.py"):
        if path.parent.name != "egress":
            assert not any(word in path.read_text() for word in forbidden), path


def test_injected_names_are_made_in_no_service() -> None:
    for path in SYNC.parent.rglob("*.py"):
        if path.parent.name != "egress":
            assert "InjectedName" not in path.read_text(), path
            assert ".injecting(" not in path.read_text(), path


async def test_the_production_app_has_the_plain_guard(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in ("RESOLVER", "EGRESS", "TRUST", "CA_FILE", "INSECURE", "VERIFY"):
        monkeypatch.setenv(f"BULKHEAD_{name}", "127.0.0.1")
    made: list[dict[str, object]] = []
    init = Egress.__init__

    def recording(self: Egress, **given: object) -> None:
        made.append(given)
        init(self, **given)  # type: ignore[arg-type]  # passed on as they came

    monkeypatch.setattr(Egress, "__init__", recording)
    app = create_app(settings_for("postgresql://nobody:x@127.0.0.1:1/none", tmp_path))
    assert made == [{}]
    await parts_of(app, SyncParts).db.close()
