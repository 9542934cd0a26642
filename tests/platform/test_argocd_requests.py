"""What services ask of Crossplane gets to its cluster, and is no deployment of theirs."""

import json

import pytest
from argocd_files import PLATFORM, Object, ask, built, generated, of_kind, project
from servers.composites import definitions

from hub.actions.argocd import Application
from hub.clients.argocd import read_application

pytestmark = pytest.mark.usefixtures("servers")

SERVICES = ("orders", "orders-infra", "orders-dev", "dev-requests", "requests", "mail-production")
ENVIRONMENTS = ("dev", "staging", "production")
TREE = (
    *(f"services/{service}" for service in SERVICES),
    *(
        f"services/{service}/{folder}"
        for service in SERVICES
        for folder in ("base", "infra", "infra/base", "overlays/production")
    ),
    *(f"services/{service}/infra/{place}" for service in SERVICES for place in ENVIRONMENTS),
    "services/mail",
    "services/mail/infra",
    "services/mail/infra/dev",
    "services/mail/infra/dev/tests",
    "services/mail/infra/elsewhere",
    "infra/dev",
)


def made() -> dict[str, Object]:
    return generated(built(), TREE, "requests")


def policy(application: Object) -> Object:
    found: Object = application["spec"]["syncPolicy"]
    return found


def test_a_service_asks_only_where_it_has_a_folder_for_it() -> None:
    paths = {one["spec"]["source"]["path"] for one in made().values()}
    assert paths == {
        *(f"services/{service}/infra/{place}" for service in SERVICES for place in ENVIRONMENTS),
        "services/mail/infra/dev",
    }


def test_no_service_has_an_application_of_the_same_name() -> None:
    assert set(made()) & set(generated(built(), TREE, "services")) == set()


def test_what_lies_in_a_folder_for_an_environment_is_asked_for_there() -> None:
    for application in made().values():
        spec = application["spec"]
        environment = spec["source"]["path"].rpartition("/")[2]
        assert spec["destination"] == {"server": PLATFORM, "namespace": environment}
        assert spec["source"]["kustomize"] == {"namespace": environment}


def test_nothing_that_was_asked_for_is_deleted_because_a_line_is_gone() -> None:
    for name, application in made().items():
        assert {"Prune=false", "Delete=false"} <= set(policy(application)["syncOptions"])
        waits = name.endswith("-production-requests")
        follows = None if waits else {"prune": False, "selfHeal": True}
        assert policy(application).get("automated") == follows


def test_an_application_goes_where_its_project_lets_it() -> None:
    asks = [
        {"project": spec["project"], "source": spec["source"], "destination": spec["destination"]}
        for application in made().values()
        for spec in [application["spec"]]
    ]
    assert {one["project"] for one in asks} == {"requests"}
    projects = of_kind(built(), "AppProject")
    assert all(ask("permit", {"projects": projects, "asks": asks})["answers"])


def test_every_kind_that_can_be_asked_for_is_let_through() -> None:
    names = [one["spec"]["names"]["kind"] for one in definitions()]
    asks = [
        {
            "project": "requests",
            "kind": {"group": "platform.company.com", "kind": name, "namespaced": True},
        }
        for name in names
    ]
    assert len(asks) == 3
    projects = [project(built(), "requests")]
    assert all(ask("permit", {"projects": projects, "asks": asks})["answers"])


def test_the_hub_takes_it_for_no_deployment() -> None:
    for name, application in made().items():
        read = read_application(
            json.dumps(application).encode(),
            Application(namespace="argocd", name=name, exists=False),
        )
        path = application["spec"]["source"]["path"].split("/")
        assert (read.service, read.requests_of, read.environment) == ("", path[1], path[3])
