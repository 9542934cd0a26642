"""A real API server with Argo CD's own definitions takes the files, and keeps all that they say."""

import copy
import os
from collections.abc import Callable
from pathlib import Path

import pytest
import yaml
from argocd_files import (
    ROOT,
    Object,
    application_set,
    built,
    document,
    generated,
    known_to_argocd,
    project,
)
from servers.administrator import ObjectRefused
from servers.kubernetes import KubernetesServer

Build = Callable[[Path], list[Object]]

SETS = ("services", "requests")


@pytest.fixture(scope="module")
def cluster(kubernetes_server: KubernetesServer) -> KubernetesServer:
    """The server with Argo CD's namespace in it."""
    kubernetes_server.apply(
        {"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": "argocd"}}
    )
    return kubernetes_server


def test_the_api_server_takes_every_object_and_keeps_it_whole(cluster: KubernetesServer) -> None:
    for one in known_to_argocd():
        cluster.apply(one)
        kept = cluster.get(one)
        assert kept is not None
        assert kept["spec"] == one["spec"]


@pytest.mark.parametrize(
    "file",
    [
        "settings/argocd-cm.yaml",
        "settings/argocd-rbac-cm.yaml",
        "notifications/argocd-notifications-cm.yaml",
    ],
)
def test_the_api_server_takes_the_settings_of_argo_cd(cluster: KubernetesServer, file: str) -> None:
    (kept,) = cluster.apply(document(file), dry_run=True)
    assert kept["data"] == document(file)["data"]


def test_the_api_server_takes_the_applications_that_are_made(cluster: KubernetesServer) -> None:
    tree = ["services/order-service", "services/order-service/infra/production"]
    made = [one for name in SETS for one in generated(built(), tree, name).values()]
    assert len(made) == 4
    for application in made:
        (kept,) = cluster.apply(without_status(application), dry_run=True)
        assert kept["spec"] == application["spec"]


def without_status(application: Object) -> Object:
    """Argo CD's controller writes no status that an operation has not made yet."""
    return {name: value for name, value in application.items() if name != "status"}


def spoil_project(project: Object) -> None:
    project["spec"]["destination"] = []


def spoil_role(project: Object) -> None:
    project["spec"]["roles"][0]["group"] = "backend-team"


def spoil_set(applications: Object) -> None:
    applications["spec"]["generators"][0]["matrix"]["generators"][0]["git"]["directorys"] = []


def spoil_policy(applications: Object) -> None:
    applications["spec"]["syncPolicy"]["applicationsSync"] = "create"


@pytest.mark.parametrize(
    ("chosen", "spoil", "why"),
    [
        (lambda: project(built(), "microservices"), spoil_project, "destination"),
        (lambda: project(built(), "microservices"), spoil_role, "group"),
        (lambda: application_set(built(), "services"), spoil_set, "directorys"),
        (lambda: application_set(built(), "services"), spoil_policy, "applicationsSync"),
    ],
    ids=["project", "role", "generator", "policy"],
)
def test_what_is_misspelt_is_refused(
    cluster: KubernetesServer,
    chosen: Callable[[], Object],
    spoil: Callable[[Object], None],
    why: str,
) -> None:
    spoilt = copy.deepcopy(chosen())
    spoil(spoilt)
    with pytest.raises(ObjectRefused, match=why):
        cluster.apply(spoilt, dry_run=True)


def test_what_argo_cd_is_set_to_already_stays(tmp_path: Path, kustomize_build: Build) -> None:
    names = ("argocd-cm", "argocd-rbac-cm", "argocd-notifications-cm")
    installed = [
        {
            "apiVersion": "v1",
            "kind": "ConfigMap",
            "metadata": {"name": name, "namespace": "argocd"},
            "data": {"theirs": "kept"},
        }
        for name in names
    ]
    (tmp_path / "installed.yaml").write_text(yaml.safe_dump_all(installed))
    components = [os.path.relpath(ROOT / name, tmp_path) for name in ("settings", "notifications")]
    wanted = {"resources": ["installed.yaml"], "components": components}
    (tmp_path / "kustomization.yaml").write_text(yaml.safe_dump(wanted))
    made = {one["metadata"]["name"]: one["data"] for one in kustomize_build(tmp_path)}
    assert set(made) == set(names)
    for file in ("settings/argocd-cm", "settings/argocd-rbac-cm"):
        ours = document(f"{file}.yaml")
        assert made[ours["metadata"]["name"]] == {"theirs": "kept", **ours["data"]}
    assert made["argocd-notifications-cm"]["theirs"] == "kept"
