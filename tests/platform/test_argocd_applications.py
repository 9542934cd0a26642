"""What Argo CD's own generators make of a repository fits what the hub writes and reads."""

import json

import pytest
from argocd_files import ROOT, Object, application_set, ask, built, document, generated

from hub.actions.argocd import Application
from hub.clients.argocd import read_application
from hub.sandbox.argocd.desired import Overlay
from hub.settings import GitopsSettings

pytestmark = pytest.mark.usefixtures("servers")

SERVICES = ("order-service", "mail", "dev-tools", "shop-production")
ENVIRONMENTS = ("dev", "staging", "production")
TREE = (
    *(f"services/{service}" for service in SERVICES),
    *(f"services/{service}/{part}" for service in SERVICES for part in ("base", "overlays/dev")),
    "services",
    "docs",
    "infra/services/other",
)
OVERLAYS = {
    overlay.name: overlay
    for overlay in (
        Overlay(service=service, environment=environment)
        for service in SERVICES
        for environment in ENVIRONMENTS
    )
}


def made() -> dict[str, Object]:
    return generated(built(), TREE, "services")


def test_every_service_is_in_every_environment_once() -> None:
    assert set(made()) == set(OVERLAYS)


def test_an_application_deploys_the_file_that_the_hub_writes() -> None:
    written = GitopsSettings(url="https://github.com/company/gitops.git").files[0]
    for name, application in made().items():
        overlay = OVERLAYS[name]
        file = written.format(service=overlay.service, environment=overlay.environment)
        assert f"{application['spec']['source']['path']}/kustomization.yaml" == file
        assert file == overlay.kustomization


def test_an_application_follows_the_branch_that_the_hub_writes() -> None:
    for file in ("single", "production"):
        settings = (ROOT.parent / "k8s/overlays" / file / "trunkline.yaml").read_text()
        for application in made().values():
            assert f"url: {application['spec']['source']['repoURL']}\n" in settings
            assert application["spec"]["source"]["targetRevision"] == GitopsSettings(url="").branch


def test_the_hub_reads_whose_deployment_it_is() -> None:
    for name, application in made().items():
        missing = Application(namespace="argocd", name=name, exists=False)
        read = read_application(json.dumps(application).encode(), missing)
        assert (read.service, read.environment) == (
            OVERLAYS[name].service,
            OVERLAYS[name].environment,
        )


def test_only_production_waits_for_a_person() -> None:
    automated = {
        name: application["spec"]["syncPolicy"].get("automated")
        for name, application in made().items()
    }
    follows = {"prune": True, "selfHeal": True}
    assert automated == {
        name: None if overlay.environment == "production" else follows
        for name, overlay in OVERLAYS.items()
    }


def test_an_application_goes_where_its_project_lets_it() -> None:
    asks = [
        {"project": spec["project"], "source": spec["source"], "destination": spec["destination"]}
        for application in made().values()
        for spec in [application["spec"]]
    ]
    assert {one["project"] for one in asks} == {"microservices"}
    projects = [one for one in built() if one["kind"] == "AppProject"]
    assert all(ask("permit", {"projects": projects, "asks": asks})["answers"])


def test_what_lies_in_an_overlay_is_deployed_to_its_environment() -> None:
    for name, application in made().items():
        environment = OVERLAYS[name].environment
        assert application["spec"]["destination"]["namespace"] == environment
        assert application["spec"]["source"]["kustomize"] == {"namespace": environment}


def test_a_patch_leaves_all_else_of_the_policy_as_it_was() -> None:
    template = application_set(built(), "services")["spec"]["template"]["spec"]["syncPolicy"]
    for application in made().values():
        policy = application["spec"]["syncPolicy"]
        assert {name: policy[name] for name in template} == template


def test_a_name_that_is_misspelt_makes_no_application() -> None:
    objects = built()
    spoilt = application_set(objects, "services")["spec"]["template"]["metadata"]
    spoilt["name"] = spoilt["name"].replace(".environment", ".enviroment")
    with pytest.raises(AssertionError, match="enviroment"):
        generated(objects, TREE, "services")


@pytest.mark.parametrize(
    ("conditions", "health"),
    [
        (None, "Progressing"),
        ([], "Progressing"),
        ([{"type": "Synced", "status": "True"}], "Progressing"),
        ([{"type": "Ready", "status": "False", "reason": "Creating"}], "Progressing"),
        ([{"type": "Ready", "status": "True"}, {"type": "Synced", "status": "True"}], "Healthy"),
        (
            [
                {"type": "Ready", "status": "True"},
                {"type": "Synced", "status": "False", "reason": "ReconcileError"},
            ],
            "Degraded",
        ),
    ],
)
def test_what_is_asked_of_crossplane_is_as_healthy_as_its_conditions_say(
    conditions: list[Object] | None, health: str
) -> None:
    asked: Object = {
        "apiVersion": "platform.company.com/v1alpha1",
        "kind": "PostgreSQLInstance",
        "metadata": {"name": "orders", "namespace": "production"},
    }
    if conditions is not None:
        asked["status"] = {"conditions": conditions}
    question = {"configMap": document("settings/argocd-cm.yaml"), "objects": [asked]}
    (answer,) = ask("health", question)["answers"]
    assert answer["status"] == health
