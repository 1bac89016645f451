"""docker-compose and Kubernetes run the programs exactly as the local launcher does."""

import kubernetes_validate

from ops.local.envoy import command as envoy_command
from ops.programs import EDGE_DIR, PROGRAMS, in_container
from tests.deploy.pods import containers, workloads

KUBERNETES = "1.34"
PER_INSTALLATION = {"BULKHEAD_GLOBAL_RANGES", "BULKHEAD_DATA_VOLUME_BYTES"}


def settings(container) -> dict[str, str]:
    return {
        one["name"]: one["value"]
        for one in container.get("env", [])
        if one["name"] not in PER_INSTALLATION
    }


def test_every_manifest_is_valid(manifests):
    for one in manifests:
        kubernetes_validate.validate(one, KUBERNETES, strict=True)


def test_kubernetes_runs_each_program_as_the_launcher_does(manifests):
    pods = workloads(manifests)
    for name, program in PROGRAMS.items():
        main = pods[name]["containers"][0]
        assert tuple(main["command"]) == program.command
        assert settings(main) == in_container(name)
        assert main["envFrom"] == [{"configMapRef": {"name": "telemetry", "optional": True}}]
        migrations = pods[name].get("initContainers", [])
        assert [tuple(one["command"]) for one in migrations] == (
            [program.preparation] if program.migrates else []
        )
        assert all(settings(one) == in_container(name) for one in migrations)
    envoy = pods["gateway"]["containers"][1]
    assert envoy["command"] == envoy_command(EDGE_DIR)


def test_every_pod_is_restricted_bounded_and_probed(manifests):
    for name, pod in workloads(manifests).items():
        assert pod["automountServiceAccountToken"] is False, name
        assert pod["securityContext"]["runAsNonRoot"] is True, name
        assert pod["securityContext"]["seccompProfile"] == {"type": "RuntimeDefault"}, name
        for container in containers(pod):
            context = container["securityContext"]
            assert context["allowPrivilegeEscalation"] is False, name
            assert context["capabilities"] == {"drop": ["ALL"]}, name
            assert container["resources"]["requests"].keys() == {"cpu", "memory"}, name
            assert "memory" in container["resources"]["limits"], name
        assert all("readinessProbe" in one for one in pod["containers"]), name


def test_nothing_may_speak_unless_a_policy_says_so(manifests):
    policies = [one for one in manifests if one["kind"] == "NetworkPolicy"]
    closed = [one["spec"] for one in policies if one["metadata"]["name"] == "default-deny"]
    assert closed == [{"podSelector": {}, "policyTypes": ["Ingress", "Egress"]}]
    outside = [
        one["metadata"]["name"]
        for one in policies
        for rule in one["spec"].get("egress", [])
        if any("ipBlock" in peer for peer in rule.get("to", [{"ipBlock": "anywhere"}]))
    ]
    assert outside == ["sync-out"]


def test_no_manifest_holds_a_secret(manifests, compose):
    assert not [one for one in manifests if one["kind"] == "Secret"]
    for pod in workloads(manifests).values():
        for container in containers(pod):
            assert all(
                "password" not in value.lower()
                for value in settings(container).values()
                if "/" not in value
            )
    for name, service in compose["services"].items():
        values = service.get("environment", {}).values()
        assert not [v for v in values if "://" in str(v) and "@" in str(v)], name


def test_compose_runs_each_program_as_the_launcher_does(compose):
    services = compose["services"]
    for name, program in PROGRAMS.items():
        assert tuple(services[name]["command"]) == program.command
        values = dict(services[name]["environment"])
        values.pop("BULKHEAD_GLOBAL_RANGES", None)
        if name == "tenants":
            assert values.pop("BULKHEAD_DATA_VOLUME") == "/run/volume"
        if name == "gateway":  # behind the engine's port mapping every caller has one address
            assert values.pop("BULKHEAD_CALLERS_HIDDEN") == "true"
        assert {key: str(value) for key, value in values.items()} == in_container(name)
        assert services[name]["env_file"] == [{"path": "telemetry.env", "required": False}]
        if program.migrates:
            assert tuple(services[f"migrate-{name}"]["command"]) == program.migration
    assert services["envoy"]["command"] == envoy_command(EDGE_DIR)


def test_compose_publishes_the_edge_alone_and_on_this_machine_alone(compose):
    published = {n: s["ports"] for n, s in compose["services"].items() if "ports" in s}
    assert published == {"envoy": ["127.0.0.1:${EDGE_PORT:-8443}:8443"]}
    assert compose["networks"]["inside"] == {"internal": True}
    outside = {n for n, s in compose["services"].items() if "outside" in s.get("networks", [])}
    assert outside == {"sync", "envoy"}


def test_each_program_sees_its_own_secrets_only(compose):
    for name in PROGRAMS:
        mounts = [m for m in compose["services"][name]["volumes"] if isinstance(m, dict)]
        shared = ["edge"] if name == "gateway" else []
        assert [m["volume"]["subpath"] for m in mounts] == [name, *shared]
        assert all(m["read_only"] for m in mounts)
