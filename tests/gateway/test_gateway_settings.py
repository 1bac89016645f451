"""Settings that make no sense are refused in words; what may not be meant is said at the start."""

import logging
from collections.abc import Awaitable, Callable
from typing import Any

import pytest

from gateway import remarks
from gateway.app import create_app
from gateway.envoy import listener
from gateway.store import seed_global
from kit.db import Database
from kit.messaging.memory import MemoryBroker
from tests.gateway.edge_parts import MakeSettings
from tests.gateway.test_gateway_golden import example

FAULTY: list[tuple[dict[str, Any], str]] = [
    ({"trusted_hops": -1}, "trusted_hops"),
    ({"trusted_hops": 1, "proxied_ranges": ("192.0.2.1/32",)}, "exclude each other"),
    ({"trusted_hops": 1, "callers_hidden": True}, "exclude each other"),
    ({"proxied_ranges": ("192.0.2.1/32",), "callers_hidden": True}, "exclude each other"),
    ({"proxied_ranges": ("10.0.0.1/8",)}, "proxied_ranges"),
    ({"reserved_ranges": ("everybody",)}, "reserved_ranges"),
    ({"reserved_connections": 10_000}, "BULKHEAD_RESERVED_CONNECTIONS is not less"),
    ({"client_requests_per_s": 0}, "client_requests_per_s"),
    ({"tenant_requests_per_s": 0}, "tenant_requests_per_s"),
    ({"max_connections": 0}, "max_connections"),
    ({"edge_port": 0}, "edge_port"),
    ({"edge_metrics_port": 99_999}, "edge_metrics_port"),
    ({"edge_memory_mib": 1}, "edge_memory_mib"),
    ({"cors_origins": ("*",)}, "origin 0"),
]


@pytest.mark.parametrize(("given", "word"), FAULTY, ids=lambda value: str(value)[:40])
def test_a_setting_that_makes_no_sense_is_refused_by_name(
    make_settings: MakeSettings, given: dict[str, Any], word: str
) -> None:
    with pytest.raises(ValueError, match=word):
        make_settings(**given)


def test_a_proxy_header_is_never_taken_without_naming_who_may_send_it() -> None:
    assert [one["name"] for one in listener.render(example())] == ["edge"]
    direct, proxied = listener.render(
        example(proxied_ranges=("192.0.2.0/30",), reserved_ranges=("198.51.100.7/32",))
    )
    assert "listener_filters" not in direct
    peers = [{"address_prefix": "192.0.2.0", "prefix_len": 30}]
    for chain in proxied["filter_chains"]:
        assert chain["filter_chain_match"]["direct_source_prefix_ranges"] == peers
    protocol = proxied["listener_filters"][0]["typed_config"]
    assert protocol["disallowed_versions"] == ["V1"]
    assert "allow_requests_without_proxy_protocol" not in protocol


def test_an_open_list_and_hidden_callers_are_remarked_upon() -> None:
    assert remarks.of(example(), ["192.0.2.0/24"]) == []
    open_list = remarks.of(example(), ["0.0.0.0/0", "192.0.2.0/24", "::/0"])
    assert open_list == [
        "the global list holds 0.0.0.0/0: everybody may reach the edge",
        "the global list holds ::/0: everybody may reach the edge",
    ]
    (hidden,) = remarks.of(example(callers_hidden=True), [])
    assert "limits per address are off" in hidden


@pytest.mark.parametrize(("stored", "count"), [("0.0.0.0/0", 1), ("192.0.2.0/24", 0)])
async def test_the_list_in_force_and_not_that_of_the_settings_is_remarked_upon_at_the_start(
    make_settings: MakeSettings,
    service_db: Callable[[str], Awaitable[str]],
    open_db: Callable[[str], Database],
    caplog: pytest.LogCaptureFixture,
    stored: str,
    count: int,
) -> None:
    url, given = await service_db("gateway"), "192.0.2.0/24" if count else "0.0.0.0/0"
    async with open_db(url).write() as session:
        await seed_global(session, [stored])
    settings = make_settings(global_ranges=(given,))
    settings.database_url_file.write_text(url)
    with caplog.at_level(logging.WARNING, logger="gateway.app"):
        app = create_app(settings, broker=MemoryBroker())
        async with app.router.lifespan_context(app):
            pass
    said = "the global list holds 0.0.0.0/0: everybody may reach the edge"
    assert caplog.messages.count(said) == count
