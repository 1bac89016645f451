"""`python -m sandbox.dataverse`: the simulator as a process of its own, until SIGTERM or Ctrl-C."""

import argparse
import asyncio
import json
import signal
import ssl
import sys
from contextlib import AsyncExitStack
from pathlib import Path

from sandbox.certificates import Authority
from sandbox.dataverse import schema
from sandbox.dataverse.app import SimulatorApp
from sandbox.dataverse.limits import Limits
from sandbox.dataverse.listening import listen
from sandbox.dataverse.presenting import present_by_switch
from sandbox.dataverse.simulation import Simulation
from sandbox.dataverse.simulator import audiences


def main() -> None:
    asyncio.run(_serve(_arguments()))


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m sandbox.dataverse", description=__doc__)
    add = parser.add_argument
    add("--host", default="127.0.0.1", help="address to listen on")
    add("--port", type=int, required=True)
    add("--cert", type=Path, required=True, help="certificate chain, PEM")
    add("--key", type=Path, required=True, help="its private key, PEM")
    add("--state", type=Path, required=True, help="directory for rows, requests, credentials")
    add("--name", action="append", default=[], help="a host name clients use (repeat)")
    add("--tables", type=Path, default=schema.STANDARD_TABLES, help="table description, JSON")
    add("--limits", type=json.loads, default={}, help="service protection limits, JSON object")
    add("--authority", type=Path, nargs=2, help="CA certificate and key, to show bad ones")
    return parser.parse_args()


async def _serve(arguments: argparse.Namespace) -> None:
    names = [*arguments.name, "localhost"]
    simulation = Simulation(
        arguments.state,
        audiences=[],  # they hold the port, which is known when it is bound
        tables=schema.load(arguments.tables),
        limits=Limits(**arguments.limits),
    )
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.minimum_version = ssl.TLSVersion.TLSv1_2
    context.load_cert_chain(arguments.cert, arguments.key)
    stop = asyncio.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        asyncio.get_running_loop().add_signal_handler(number, stop.set)
    if arguments.authority:
        authority = Authority.load(*(path.read_bytes() for path in arguments.authority))
        present_by_switch(context, simulation.organisation.switches, authority, names[0])
    async with AsyncExitStack() as stack:
        stack.callback(simulation.close)
        app = SimulatorApp(simulation)
        port = await stack.enter_async_context(
            listen(app, context, host=arguments.host, port=arguments.port)
        )
        simulation.tokens.audiences += audiences(names, port)
        sys.stderr.write(f"Dataverse simulator on https://{arguments.host}:{port}\n")
        await stop.wait()


if __name__ == "__main__":
    main()
