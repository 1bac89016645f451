"""The apps of all services, wired with throw-away settings; nothing is started."""

import json
from importlib import import_module
from pathlib import Path
from types import ModuleType

import pytest
from fastapi import FastAPI

from ops.bootstrap import SERVICES, role_of
from ops.programs import PROGRAMS, Places, environment
from ops.secrets import make_keys, write_addresses


@pytest.fixture(scope="session")
def apps(tmp_path_factory: pytest.TempPathFactory) -> dict[str, FastAPI]:
    """Each service's app as its own wiring makes it."""
    folder = tmp_path_factory.mktemp("installation")
    make_keys(folder / "secrets")

    def database_url(role: str, service: str) -> str:
        return f"postgresql://{role_of(role)}:none@127.0.0.1:1/{role_of(service)}"

    write_addresses(
        folder / "secrets", database_url, dict.fromkeys(PROGRAMS, "amqp://none:none@127.0.0.1:1/")
    )
    return {name: _app(name, folder) for name in SERVICES}


def _app(name: str, folder: Path) -> FastAPI:
    program = PROGRAMS[name]
    module = import_module(f"{program.module}.settings")
    with pytest.MonkeyPatch.context() as patch:  # programs that other tests start see none of it
        for key, value in (_values(name, folder)).items():
            patch.setenv(key, value)
        settings = _settings_class(module)()
    app: FastAPI = import_module(f"{program.module}.app").create_app(settings)
    return app


def _settings_class(module: ModuleType) -> type:
    found = [
        one
        for one in vars(module).values()
        if isinstance(one, type)
        and one.__module__ == module.__name__
        and one.__name__.endswith("Settings")
    ]
    assert len(found) == 1
    return found[0]


def _values(name: str, folder: Path) -> dict[str, str]:
    places = Places(
        host="127.0.0.1",
        url=lambda _name: "http://127.0.0.1:1",
        port=lambda _name: 1,
        secrets=lambda one: folder / "secrets" / one,
        state=folder / "state",
    )
    values = environment(PROGRAMS[name], places)
    if name == "gateway":
        for file in ("edge.pem", "edge.key"):
            (folder / file).write_text("a certificate")
        values |= {
            "BULKHEAD_EDGE_DIR": str(folder / "edge"),
            "BULKHEAD_CERTIFICATE_FILE": str(folder / "edge.pem"),
            "BULKHEAD_CERTIFICATE_KEY_FILE": str(folder / "edge.key"),
            "BULKHEAD_GLOBAL_RANGES": json.dumps(["127.0.0.0/8"]),
        }
    return values
