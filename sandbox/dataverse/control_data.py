"""The part of the control API that looks at tables and rows, and changes them behind a client."""

from typing import Any

from starlette.requests import Request

from sandbox.dataverse.simulation import Simulation


async def list_tables(simulation: Simulation, _: Request) -> Any:
    rows = simulation.organisation.rows
    return {name: rows.count(name) for name in simulation.organisation.schema.tables}


async def list_rows(simulation: Simulation, request: Request) -> Any:
    found = simulation.organisation.rows.all(request.path_params["table"])
    return [row.values for row in found]


async def change_table(simulation: Simulation, request: Request) -> Any:
    changes = await request.json()
    simulation.alterations.change_table(request.path_params["table"], **changes)
    return {"changed": sorted(changes)}


async def drop_table(simulation: Simulation, request: Request) -> Any:
    simulation.alterations.drop_table(request.path_params["table"])
    return {"dropped": request.path_params["table"]}


async def delete_rows(simulation: Simulation, request: Request) -> Any:
    """The query names the columns and the values of the rows that are meant."""
    table, columns = request.path_params["table"], dict(request.query_params)
    return {"deleted": simulation.alterations.delete_rows(table, **columns)}


async def add_column(simulation: Simulation, request: Request) -> Any:
    entry = await request.json()
    simulation.alterations.add_column(request.path_params["table"], **entry)
    return {"added": entry["name"]}


async def change_column(simulation: Simulation, request: Request) -> Any:
    table, column = request.path_params["table"], request.path_params["column"]
    changes = await request.json()
    simulation.alterations.change_column(table, column, **changes)
    return {"changed": sorted(changes)}


async def drop_column(simulation: Simulation, request: Request) -> Any:
    table, column = request.path_params["table"], request.path_params["column"]
    simulation.alterations.drop_column(table, column)
    return {"dropped": column}


async def remove_option(simulation: Simulation, request: Request) -> Any:
    path = request.path_params
    simulation.alterations.remove_option(path["table"], path["column"], path["label"])
    return {"removed": path["label"]}


async def take_snapshot(simulation: Simulation, _: Request) -> Any:
    return {"snapshot": simulation.take_snapshot()}


async def restore(simulation: Simulation, request: Request) -> Any:
    number = int(request.path_params["number"])
    simulation.restore(number)
    return {"restored": number}
