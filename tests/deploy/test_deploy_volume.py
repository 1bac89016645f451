"""The floor of free disk holds in every way to run: tenants sees the volume, or knows its size."""

import yaml

from services.tenants.settings import TenantsSettings
from tests.deploy.pods import ROOT, containers, workloads

GIB = 1 << 30


def test_compose_shows_tenants_the_disk_of_the_database_and_nothing_of_it(compose):
    """All named volumes of the engine's own driver lie on one file system."""
    for name in ("tenants", "migrate-tenants"):
        service = compose["services"][name]
        folder = service["environment"]["BULKHEAD_DATA_VOLUME"]
        assert f"volume:{folder}:ro" in service["volumes"]
    mounted = [
        name
        for name, service in compose["services"].items()
        if any(str(one).startswith("volume:") for one in service.get("volumes", []))
    ]
    assert sorted(mounted) == ["migrate-tenants", "tenants"]
    assert compose["volumes"]["volume"] == compose["volumes"]["database"] == {}
    assert "database:/var/lib/postgresql" in compose["services"]["postgres"]["volumes"]


def test_kubernetes_tells_tenants_how_much_the_database_s_volume_holds(manifests):
    """No default: an overlay that does not say it has a tenants program that does not start."""
    for container in containers(workloads(manifests)["tenants"]):
        (said,) = [one for one in container["env"] if one["name"] == "BULKHEAD_DATA_VOLUME_BYTES"]
        assert said["valueFrom"] == {"configMapKeyRef": {"name": "database", "key": "volume_bytes"}}
    base = yaml.safe_load((ROOT / "deploy/k8s/base/database.yaml").read_text())
    assert base["data"] == {"volume_bytes": ""}


def test_the_size_that_the_dev_overlay_tells_fits_its_claim(dev):
    (told,) = [
        int(one["data"]["volume_bytes"])
        for one in dev
        if (one["kind"], one["metadata"]["name"]) == ("ConfigMap", "database")
    ]
    (claim,) = [
        one["spec"]["volumeClaimTemplates"][0]["spec"]["resources"]["requests"]["storage"]
        for one in dev
        if (one["kind"], one["metadata"]["name"]) == ("StatefulSet", "postgres")
    ]
    assert claim.endswith("Gi")
    size = int(claim.removesuffix("Gi")) * GIB
    floor = TenantsSettings.model_fields["free_floor"].default
    assert size * 0.9 < told < size
    assert floor < told / 4
