"""The control API under /_sandbox: see rows and requests, switch behaviours; guarded by a token."""

import hmac
import json
from collections.abc import Awaitable, Callable
from dataclasses import asdict, replace
from typing import Any

from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from sandbox.dataverse import control_data
from sandbox.dataverse.faults import Fault
from sandbox.dataverse.limits import Limits
from sandbox.dataverse.simulation import Simulation
from sandbox.dataverse.tokens import Secret

Handler = Callable[[Simulation, Request], Awaitable[Any]]


def create_control(simulation: Simulation) -> Starlette:
    """Routes and what each answers stand in sandbox/README.md."""

    def guarded(handler: Handler) -> Callable[[Request], Awaitable[Response]]:
        async def endpoint(request: Request) -> Response:
            given = request.headers.get("authorization", "").encode()
            if not hmac.compare_digest(given, f"Bearer {simulation.control_token}".encode()):
                return JSONResponse({"error": "the control token is missing or wrong"}, 401)
            try:
                return JSONResponse(await handler(simulation, request))
            except (KeyError, TypeError, ValueError) as error:
                return JSONResponse({"error": f"{type(error).__name__}: {error}"}, 400)

        return endpoint

    return Starlette(
        routes=[
            Route(f"/_sandbox/{path}", guarded(handler), methods=[method])
            for method, path, handler in _ROUTES
        ]
    )


async def _requests(simulation: Simulation, request: Request) -> Any:
    after = int(request.query_params.get("after", 0))
    return [recorded.shown() for recorded in simulation.recorder.requests(after)]


async def _counters(simulation: Simulation, _: Request) -> Any:
    return simulation.counters.shown()


async def _clear_counters(simulation: Simulation, _: Request) -> Any:
    simulation.counters.clear()
    return {}


async def _throttle(simulation: Simulation, _: Request) -> Any:
    throttle = simulation.throttle
    return {
        "limits": asdict(throttle.limits),
        "refused": throttle.refused,
        "early": [asdict(early) for early in throttle.early],
    }


async def _set_limits(simulation: Simulation, request: Request) -> Any:
    simulation.set_limits(replace(Limits(), **await request.json()))
    return asdict(simulation.throttle.limits)


async def _switches(simulation: Simulation, _: Request) -> Any:
    return asdict(simulation.organisation.switches)


async def _set_switches(simulation: Simulation, request: Request) -> Any:
    changes = await request.json()
    switches = replace(simulation.organisation.switches, **changes)  # refuses unknown names
    for name in changes:
        setattr(simulation.organisation.switches, name, getattr(switches, name))
    return asdict(switches)


async def _faults(simulation: Simulation, _: Request) -> Any:
    return simulation.organisation.faults.listing()


async def _add_fault(simulation: Simulation, request: Request) -> Any:
    return asdict(simulation.organisation.faults.add(Fault(**await request.json())))


async def _clear_faults(simulation: Simulation, _: Request) -> Any:
    simulation.organisation.faults.clear()
    return []


async def _apply_late(simulation: Simulation, _: Request) -> Any:
    return {"applied": await simulation.apply_late()}


async def _set_secrets(simulation: Simulation, request: Request) -> Any:
    given, client = json.loads(await request.body()), request.path_params["client"]
    secrets = [Secret(**secret) for secret in given["secrets"]]
    if "certificates" in given:
        simulation.set_certificates(client, given["certificates"])
    simulation.set_secrets(client, secrets)
    certificates = len(simulation.tokens.certificates.get(client, []))
    return {"client_id": client, "secrets": len(secrets), "certificates": certificates}


async def _reset(simulation: Simulation, _: Request) -> Any:
    simulation.reset()
    return {"reset": True}


_ROUTES: list[tuple[str, str, Handler]] = [
    ("GET", "tables", control_data.list_tables),
    ("GET", "tables/{table}", control_data.list_rows),
    ("PATCH", "tables/{table}", control_data.change_table),
    ("DELETE", "tables/{table}", control_data.drop_table),
    ("DELETE", "tables/{table}/rows", control_data.delete_rows),
    ("POST", "tables/{table}/columns", control_data.add_column),
    ("PATCH", "tables/{table}/columns/{column}", control_data.change_column),
    ("DELETE", "tables/{table}/columns/{column}", control_data.drop_column),
    ("DELETE", "tables/{table}/columns/{column}/options/{label}", control_data.remove_option),
    ("POST", "snapshots", control_data.take_snapshot),
    ("POST", "snapshots/{number}", control_data.restore),
    ("GET", "counters", _counters),
    ("DELETE", "counters", _clear_counters),
    ("GET", "requests", _requests),
    ("GET", "throttle", _throttle),
    ("PUT", "throttle", _set_limits),
    ("GET", "switches", _switches),
    ("PATCH", "switches", _set_switches),
    ("GET", "faults", _faults),
    ("POST", "faults", _add_fault),
    ("DELETE", "faults", _clear_faults),
    ("POST", "late", _apply_late),
    ("PUT", "applications/{client}", _set_secrets),
    ("POST", "reset", _reset),
]
