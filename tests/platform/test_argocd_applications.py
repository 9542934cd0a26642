"""The Applications that Argo CD's own controller makes of a gitops repository."""

import pytest
from argocd_files import Object, ask, projects, the

from hub.clients.argocd import ENVIRONMENT, SERVICE
from hub.sandbox.samples import ENVIRONMENTS, Release, gitops_files
from hub.settings import GitopsSettings

pytestmark = pytest.mark.usefixtures("servers")

SERVICES = ("order-service", "users", "web-shop-2")


def tree() -> dict[str, str]:
    """The files of a gitops repository with some services in it."""
    files: dict[str, str] = {"README.md": "", "services/README.md": ""}
    for service in SERVICES:
        files |= gitops_files(
            Release(service=service, revision="a" * 40, digest="sha256:" + "b" * 64)
        )
    return files


def folders(files: dict[str, str]) -> list[str]:
    found = set()
    for file in files:
        parts = file.split("/")[:-1]
        found |= {"/".join(parts[:end]) for end in range(1, len(parts) + 1)}
    return sorted(found)


def generated(directories: list[str] | None = None) -> list[Object]:
    answer = ask(
        "generate",
        applicationSet=the("ApplicationSet", "services"),
        projects=projects(),
        directories=folders(tree()) if directories is None else directories,
    )
    applications: list[Object] = answer["applications"] or []
    return applications


def test_every_service_has_one_application_in_each_environment() -> None:
    names = [one["metadata"]["name"] for one in generated()]
    assert sorted(names) == sorted(
        f"{service}-{environment}" for service in SERVICES for environment in ENVIRONMENTS
    )


def test_the_hub_knows_each_by_its_labels() -> None:
    for one in generated():
        labels = one["metadata"]["labels"]
        assert one["metadata"]["name"] == f"{labels[SERVICE]}-{labels[ENVIRONMENT]}"
        assert one["spec"]["destination"] == {
            "name": "workloads",
            "namespace": labels[ENVIRONMENT],
        }


def test_each_reads_the_folder_that_the_hub_bumps() -> None:
    files = tree()
    pattern = GitopsSettings(url="https://x").files[0]
    for one in generated():
        labels = one["metadata"]["labels"]
        bumped = pattern.format(service=labels[SERVICE], environment=labels[ENVIRONMENT])
        assert bumped == f"{one['spec']['source']['path']}/kustomization.yaml"
        assert bumped in files


def test_production_alone_waits_for_somebody() -> None:
    automated = {
        one["metadata"]["labels"][ENVIRONMENT]: one["spec"]["syncPolicy"].get("automated")
        for one in generated()
    }
    everything = {"prune": True, "selfHeal": True}
    assert automated == {"dev": everything, "staging": everything, "production": None}


def test_each_is_permitted_by_its_project_and_retried() -> None:
    for one in generated():
        spec = one["spec"]
        asked = {
            "project": spec["project"],
            "source": spec["source"],
            "destination": spec["destination"],
        }
        assert ask("permit", projects=projects(), asks=[asked])["answers"] == [True]
        assert spec["syncPolicy"]["retry"]["limit"] == 5
        assert "CreateNamespace=false" in spec["syncPolicy"]["syncOptions"]


def test_what_is_no_folder_of_a_service_makes_nothing() -> None:
    assert generated(["services", "docs", "docs/services", "clusters/services/x"]) == []


def test_nothing_is_deleted_because_a_folder_is_gone() -> None:
    spec = the("ApplicationSet", "services")["spec"]
    assert spec["syncPolicy"] == {
        "applicationsSync": "create-update",
        "preserveResourcesOnDeletion": True,
    }
    assert all("finalizers" not in one["metadata"] for one in generated())
