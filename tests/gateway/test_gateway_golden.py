"""The rendered files, compared byte for byte with what was reviewed."""

import os
from pathlib import Path
from typing import Any

import pytest

from gateway import envoy_files
from gateway.envoy import allowlist_matcher, bootstrap, clusters, listener, shapes
from gateway.public_paths import PUBLIC_PATHS, UPSTREAMS
from gateway.settings import GatewaySettings

GOLDEN, ROOT = Path(__file__).parent / "golden", Path(__file__).parents[2]


def example(**other: Any) -> GatewaySettings:
    ports = {f"{name}_url": f"http://127.0.0.1:{9001 + n}" for n, name in enumerate(UPSTREAMS)}
    files = ("database_url", "amqp_url", "identity_key", "identities", "certificate_key")
    paths = {f"{name}_file": Path(f"/secrets/{name}") for name in files}
    fixed: dict[str, Any] = {
        "port": 9000,
        "edge_dir": Path("/edge"),
        "certificate_file": Path("/secrets/certificate"),
        "global_ranges": ("192.0.2.0/24",),
    }
    return GatewaySettings.model_construct(**fixed | ports | paths | other)  # no such files


def manager_of(rendered: Any, chain: int = 0) -> Any:
    """The HTTP connection manager, which ends a filter chain."""
    return rendered["filter_chains"][chain]["filters"][-1]["typed_config"]


def named_scripts(rendered: list[Any]) -> list[Any]:
    """The same listeners with the names of our scripts in place of their text."""
    texts = {path.read_text(): path.name for path in (ROOT / "gateway/envoy").glob("*.lua")}
    for one in rendered:
        for chain in range(len(one["filter_chains"])):
            for each in manager_of(one, chain)["http_filters"]:
                source = each.get("typed_config", {}).get("default_source_code")
                if source:
                    source["inline_string"] = texts[source["inline_string"]]
    return rendered


def without_managers(rendered: list[Any]) -> list[Any]:
    """What differs from chain to chain; HTTP and TLS are the same in all."""
    for one in rendered:
        for chain in one["filter_chains"]:
            chain["filters"][-1] = "http, as in lds.json"
            chain["transport_socket"] = "tls, as in lds.json"
    return rendered


def rendered() -> dict[str, bytes]:
    settings = example()
    proxied = example(proxied_ranges=("192.0.2.8/29",), reserved_ranges=("198.51.100.7/32",))
    return {
        "bootstrap.json": shapes.document(bootstrap.render(settings)),
        "cds.json": shapes.discovery(*clusters.render(settings)),
        "lds.json": shapes.discovery(*named_scripts(listener.render(settings))),
        "sds.json": shapes.discovery(listener.certificate(settings)),
        "proxied.json": shapes.document({"listeners": without_managers(listener.render(proxied))}),
        "global-allow.pb": allowlist_matcher.global_list("global-allow", ["192.0.2.0/24"]),
        "tenant-allow.pb": allowlist_matcher.tenant_lists(
            "tenant-allow", {"a": ["10.0.0.0/8", "2001:db8::/32"], "b": ["0.0.0.0/0"]}, ["public"]
        ),
    }


@pytest.mark.parametrize("name", list(rendered()))
def test_a_rendered_file_is_the_one_that_was_reviewed(name: str) -> None:
    """After a wanted change: BULKHEAD_GOLDEN=write, and read the difference."""
    path, content = GOLDEN / name, rendered()[name]
    if os.environ.get("BULKHEAD_GOLDEN") == "write":
        path.write_bytes(content)
    assert content == path.read_bytes()


def test_the_router_comes_last_and_the_checks_in_their_order() -> None:
    """Envoy accepts a listener without a router and then answers 500 to everybody."""
    names = [one["name"] for one in manager_of(listener.render(example())[0])["http_filters"]]
    assert names[-1] == "router"
    checks = """bulkhead.security-headers bulkhead.head global-allow client-limit bulkhead.buffer
        bulkhead.whole envoy.filters.http.jwt_authn envoy.filters.http.lua tenant-allow tenant-limit
        bulkhead.large-limit bulkhead.compression"""
    order = [names.index(name) for name in checks.split()]
    assert order == sorted(order)


def test_only_named_routes_go_without_a_token() -> None:
    open_paths = {path.name for path in PUBLIC_PATHS if not path.token}
    assert open_paths == {
        "login",
        "invitation-accept",
        "session-refresh",
        "operator-login",
        "operator-accept",
        "operator-refresh",
        "key-set",
        "api-document",
        "problems",
        "docs",
        "docs-files",
        "egress-addresses",
    }


def test_names_of_hosts_are_resolved_and_addresses_are_not() -> None:
    by_name = clusters.render(example(auth_url="http://auth:8000"))[0]
    assert (by_name["type"], clusters.render(example())[0]["type"]) == ("STRICT_DNS", "STATIC")


def test_a_file_is_private_and_written_only_when_it_changes(tmp_path: Path) -> None:
    path = tmp_path / "new" / "cds.json"
    assert envoy_files.write(path, b"1")
    assert path.stat().st_mode & 0o777 == 0o600
    assert path.parent.stat().st_mode & 0o777 == 0o700
    first = path.stat().st_ino
    assert not envoy_files.write(path, b"1")
    assert path.stat().st_ino == first
    assert envoy_files.write(path, b"2")
    assert path.stat().st_ino != first
    assert [one.name for one in path.parent.iterdir()] == ["cds.json"]
