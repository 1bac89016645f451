"""Who may speak to whom in Kubernetes: exactly the pairs that the programs need."""

from collections.abc import Iterator
from typing import Any

from ops.programs import PROGRAMS

SERVICES = PROGRAMS.keys() - {"relay"}
NEEDED = (
    {(one, "postgres", 5432) for one in PROGRAMS}
    | {(one, "rabbitmq", 5672) for one in PROGRAMS}
    | {("gateway", one, 8000) for one in SERVICES}
    | {(one, of, 8000) for one in SERVICES for of in ("auth", "tenants")}
)
PRIVATE = {
    *("10.0.0.0/8", "172.16.0.0/12", "192.168.0.0/16"),
    *("169.254.0.0/16", "100.64.0.0/10", "127.0.0.0/8"),
}


def policies(manifests) -> dict[str, dict[str, Any]]:
    return {
        one["metadata"]["name"]: one["spec"] for one in manifests if one["kind"] == "NetworkPolicy"
    }


def chosen(selector: dict[str, Any], apps: set[str]) -> set[str]:
    """The apps that a selector of pods means."""
    found = set(apps)
    if "matchLabels" in selector:
        assert selector["matchLabels"].keys() == {"app"}
        found &= {selector["matchLabels"]["app"]}
    for one in selector.get("matchExpressions", []):
        assert (one["key"], one["operator"]) == ("app", "In")
        found &= set(one["values"])
    return found


def allowed(manifests, apps: set[str], rules: str, peers: str) -> Iterator[tuple[str, str, int]]:
    """(the pod itself, its peer, port) of every rule in one direction between pods of ours."""
    for spec in policies(manifests).values():
        for rule in spec.get(rules, []):
            for peer in rule.get(peers, []):
                if "podSelector" not in peer:
                    continue
                for own in chosen(spec["podSelector"], apps):
                    for other in chosen(peer["podSelector"], apps):
                        yield from ((own, other, port["port"]) for port in rule["ports"])


def test_pods_may_speak_in_the_pairs_that_are_needed_and_in_no_other(manifests):
    apps = {*PROGRAMS, "postgres", "rabbitmq"}
    out = set(allowed(manifests, apps, "egress", "to"))
    into = {(of, one, port) for one, of, port in allowed(manifests, apps, "ingress", "from")}
    assert out & into == NEEDED


def test_only_sync_leaves_and_only_to_public_addresses_on_two_ports(manifests):
    spec = policies(manifests)["sync-out"]
    assert spec["podSelector"] == {"matchLabels": {"app": "sync"}}
    (rule,) = spec["egress"]
    ports = [{"protocol": "TCP", "port": port} for port in (443, 80)]
    assert rule["ports"] == ports  # 80: the lists of revoked certificates
    (peer,) = rule["to"]
    assert peer["ipBlock"]["cidr"] == "0.0.0.0/0"
    assert set(peer["ipBlock"]["except"]) == PRIVATE


def test_only_the_edge_is_open_to_everybody(manifests):
    """And metrics, to namespaces that are labelled for it."""
    found = policies(manifests)
    open_to_all = {
        name: spec["podSelector"]
        for name, spec in found.items()
        for rule in spec.get("ingress", [])
        if "from" not in rule
    }
    assert open_to_all == {"edge-in": {"matchLabels": {"app": "gateway"}}}
    assert found["edge-in"]["ingress"] == [{"ports": [{"protocol": "TCP", "port": 8443}]}]
    (metrics,) = found["metrics"]["ingress"]
    assert metrics["from"] == [{"namespaceSelector": {"matchLabels": {"bulkhead/metrics": "yes"}}}]
    assert [port["port"] for port in metrics["ports"]] == [9000, 9443]


def test_spans_leave_our_programs_for_namespaces_that_are_labelled_for_it(manifests):
    spec = policies(manifests)["spans"]
    assert chosen(spec["podSelector"], {*PROGRAMS, "postgres", "rabbitmq"}) == set(PROGRAMS)
    assert spec["policyTypes"] == ["Egress"]
    (rule,) = spec["egress"]
    assert rule["to"] == [{"namespaceSelector": {"matchLabels": {"bulkhead/spans": "yes"}}}]
    assert rule["ports"] == [{"protocol": "TCP", "port": 4318}]
