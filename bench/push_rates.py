"""Rows a second into a Dataverse simulator: what Microsoft's own SDK reaches, call by call.

`python -m bench.push_rates [ROWS]`. First each way of sending creates its rows, then it changes
them. CPU per row of both sides stands beside the rate: while the simulator's share is small, the
client is what is measured. Compare lines of one run, never figures of different runs.
"""

import asyncio
import os
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from functools import partial
from typing import Any

import requests
from azure.core.credentials import AccessToken, TokenCredential
from PowerPlatform.Dataverse.client import DataverseClient
from PowerPlatform.Dataverse.models import UpsertItem
from rich.console import Console
from rich.table import Table

from bench.crm_process import CrmProcess, crm_process
from bench.measured import Measured
from bench.push_engine import engine_rates

ROWS = 20_000
Sdk = Any
Send = Callable[[Sdk, Sequence[UpsertItem]], None]


class CrmCredential(TokenCredential):
    """Gets a token where the simulator gives them out and keeps it, as Azure's credentials do."""

    def __init__(self, crm: CrmProcess) -> None:
        client_id, secret = crm.client
        self._url = crm.token_url
        self._form = {
            "grant_type": "client_credentials",
            "client_id": client_id,
            "client_secret": secret,
            "scope": crm.scope,
        }
        self._token: AccessToken | None = None

    def get_token(self, *_: str, **__: Any) -> AccessToken:
        if self._token is None:
            self._token = self._fetch()
        return self._token

    def _fetch(self) -> AccessToken:
        answer = requests.post(self._url, data=self._form, timeout=10)
        answer.raise_for_status()
        body = answer.json()
        return AccessToken(body["access_token"], int(time.time()) + body["expires_in"])


@dataclass(frozen=True)
class Way:
    """One way to send rows: `size` of them in a call, `workers` calls at a time."""

    name: str
    send: Send
    size: int
    workers: int = 1
    share: float = 1.0


def upsert_multiple(sdk: Sdk, rows: Sequence[UpsertItem]) -> None:
    sdk.records.upsert("account", list(rows))


def batch(sdk: Sdk, rows: Sequence[UpsertItem]) -> None:
    """Each row a request of its own inside of one $batch."""
    whole = sdk.batch.new()
    for row in rows:
        whole.records.upsert("account", [row])
    result = whole.execute(continue_on_error=True)
    if result.has_errors:
        raise RuntimeError(f"{len(result.failed)} of {len(rows)} rows were refused")


WAYS = (
    Way("UpsertMultiple of 1,000", upsert_multiple, 1_000),
    Way("$batch of 500", batch, 500),
    Way("$batch of 50", batch, 50),
    Way("$batch of 50, 4 at a time", batch, 50, workers=4),
    Way("one by one", upsert_multiple, 1, share=0.02),
)


def companies(way: Way, count: int, version: str) -> list[UpsertItem]:
    """Rows of a way's own, as our push sends them: a key and seven columns."""
    place = WAYS.index(way)
    return [
        UpsertItem(
            alternate_key={"bulkhead_symbol": f"{place}-{number}"},
            record={
                "name": f"Company {number} {version}",
                "bulkhead_sector": "Information Technology",
                "bulkhead_subindustry": "Application Software",
                "bulkhead_headquarters": "San Francisco, California",
                "bulkhead_dateadded": "2020-01-31",
                "bulkhead_cik": f"{number:010}",
                "bulkhead_founded": "1999",
            },
        )
        for number in range(count)
    ]


def measured(crm: CrmProcess, sdks: Sequence[Sdk], way: Way, rows: list[UpsertItem]) -> Measured:
    calls = [rows[at : at + way.size] for at in range(0, len(rows), way.size)]
    workers = [calls[place :: way.workers] for place in range(way.workers)]
    spent, crm_spent, begun = time.process_time(), crm.spent_s, time.monotonic()
    with ThreadPoolExecutor(way.workers) as pool:
        list(pool.map(partial(_send_all, way.send), sdks, workers))
    took = time.monotonic() - begun
    return Measured(
        rows_s=len(rows) / took,
        client_us=(time.process_time() - spent) / len(rows) * 1e6,
        crm_us=(crm.spent_s - crm_spent) / len(rows) * 1e6,
        calls=len(calls),
    )


def _send_all(send: Send, sdk: Sdk, calls: Sequence[Sequence[UpsertItem]]) -> None:
    for rows in calls:
        send(sdk, rows)


@contextmanager
def clients(crm: CrmProcess, count: int) -> Iterator[list[Sdk]]:
    """The SDK's clients, each with its metadata read and its connection open."""
    os.environ["REQUESTS_CA_BUNDLE"] = str(crm.ca)
    with ExitStack() as stack:
        stack.callback(os.environ.pop, "REQUESTS_CA_BUNDLE")
        found = [DataverseClient(crm.url, CrmCredential(crm)) for _ in range(count)]
        for place, sdk in enumerate(found):
            stack.enter_context(sdk)  # outside of `with` it opens a connection for each call
            sdk.records.upsert("account", [UpsertItem({"bulkhead_symbol": f"warm-{place}"}, {})])
        yield found


def sdk_rates(crm: CrmProcess, count: int) -> Iterator[tuple[str, str, Measured]]:
    """(way, first load or update, figures), as they are measured."""
    with clients(crm, max(way.workers for way in WAYS)) as sdks:
        for way in WAYS:
            share = max(way.size, int(count * way.share))
            for deed in ("first load", "update"):
                rows = companies(way, share, deed)
                yield way.name, deed, measured(crm, sdks, way, rows)


GOALS = (
    ("first load", "UpsertMultiple of 1,000", 1.0),
    ("update", "$batch of 50, 4 at a time", 3.0),
)


def main(count: int = ROWS) -> None:
    table = Table(title=f"into the simulator, {count:,} rows a way; CPU in microseconds a row")
    for heading in ("way", "deed", "rows/s", "client", "database", "CRM", "calls"):
        table.add_column(heading, justify="left" if heading in ("way", "deed") else "right")
    rates = dict[tuple[str, str], Measured]()
    with crm_process() as crm:
        for name, deed, found in sdk_rates(crm, count):
            rates[name, deed] = found
    with crm_process() as crm:
        engine = asyncio.run(engine_rates(crm, count))
    rates |= {("our push", deed): found for deed, found in engine.rates.items()}
    for (name, deed), found in rates.items():
        spent = (found.client_us, found.database_us, found.crm_us)
        figures = (found.rows_s, *spent, found.calls)
        table.add_row(name, deed, *(f"{figure:,.0f}" for figure in figures))
    console = Console(width=100)
    console.print(table)
    for deed, way, goal in GOALS:
        ratio = rates["our push", deed].rows_s / rates[way, deed].rows_s
        console.print(f"our push / the SDK's {way}, {deed}: {ratio:.2f}x (goal {goal:.0f}x)")
    middle, worst = (engine.arrivals_s[len(engine.arrivals_s) * part // 100] for part in (50, 99))
    console.print(
        f"one change, to the CRM's answer: p50 {middle:.2f} s, p99 {worst:.2f} s (goal 1 s)"
    )


if __name__ == "__main__":
    main(int(sys.argv[1]) if len(sys.argv) > 1 else ROWS)
