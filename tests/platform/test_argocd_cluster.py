"""A real API server with Argo CD's own definitions takes the files, and no field too many."""

from collections.abc import Iterator
from pathlib import Path

import pytest
from argocd_files import Object, built, projects, the
from servers.administrator import ObjectRefused
from servers.kubernetes import KubernetesServer, kubernetes

CRDS = sorted((Path(__file__).parents[1] / "data" / "crds" / "argocd").glob("*.yaml"))


@pytest.fixture(scope="module")
def cluster(servers: None) -> Iterator[KubernetesServer]:
    with kubernetes(platform=False) as server:
        server.install(*CRDS)
        server.apply({"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": "argocd"}})
        server.create(
            {
                "apiVersion": "v1",
                "kind": "ConfigMap",
                "metadata": {"name": "argocd-cm", "namespace": "argocd"},
                "data": {"url": "https://argocd.example.com"},
            }
        )
        yield server


def test_the_api_server_takes_every_object_and_keeps_settings_that_are_there(
    cluster: KubernetesServer,
) -> None:
    cluster.apply(*built())
    for one in built():
        assert cluster.get(one) is not None
    kept = cluster.get(the("ConfigMap", "argocd-cm"))
    assert kept is not None
    assert kept["data"]["url"] == "https://argocd.example.com"
    assert kept["data"]["application.resourceTrackingMethod"] == "annotation"


@pytest.mark.parametrize("kind", ["AppProject", "ApplicationSet"])
def test_a_field_that_argo_cd_does_not_have_is_refused(
    cluster: KubernetesServer, kind: str
) -> None:
    one: Object = projects()[0] if kind == "AppProject" else the("ApplicationSet", "services")
    one["spec"]["polices"] = []
    with pytest.raises(ObjectRefused, match="polices"):
        cluster.apply(one, dry_run=True)
