"""Argo CD's own enforcer says who may do what in the clusters that it deploys to."""

from collections.abc import Iterable
from typing import Any

import pytest
from argocd_files import (
    PLATFORM,
    WORKLOADS,
    Object,
    ask,
    built,
    known_to_argocd,
    of_kind,
    project,
    rbac,
)

pytestmark = pytest.mark.usefixtures("servers")

PROJECTS = ("default", "microservices", "platform", "requests")
DEVELOPERS = ("backend-team", "payments-team")
RELEASES = "platform-team"
STRANGER = "sales-team"

DELETION = "delete/platform.company.com/PostgreSQLInstance/production/orders"

Asked = tuple[str, str, str]
"""What is done, to which kind of thing, and to which."""

BY_DEVELOPERS: dict[Asked, bool] = {
    ("get", "applications", "microservices/order-service-production"): True,
    ("get", "logs", "microservices/order-service-production"): True,
    ("sync", "applications", "microservices/order-service-dev"): True,
    ("sync", "applications", "microservices/order-service-staging"): True,
    ("sync", "applications", "microservices/order-service-production"): False,
    ("sync", "applications", "microservices/dev-tools-production"): False,
    ("sync", "applications", "microservices/order-dev-production"): False,
    ("override", "applications", "microservices/order-service-dev"): False,
    ("create", "applications", "microservices/order-service-dev"): False,
    ("update", "applications", "microservices/order-service-dev"): False,
    ("delete", "applications", "microservices/order-service-dev"): False,
    ("delete/apps/Deployment/dev/a", "applications", "microservices/a-dev"): False,
    ("action/apps/Deployment/restart", "applications", "microservices/a-dev"): False,
    ("create", "exec", "microservices/order-service-dev"): False,
    ("get", "applications", "platform/trunkline"): False,
    ("get", "logs", "platform/trunkline"): False,
    ("get", "projects", "microservices"): True,
    ("get", "projects", "platform"): False,
    ("update", "projects", "microservices"): False,
    ("get", "applicationsets", "microservices/services"): True,
    ("update", "applicationsets", "microservices/services"): False,
    ("get", "clusters", WORKLOADS): False,
    ("get", "applications", "requests/orders-production-requests"): True,
    ("sync", "applications", "requests/orders-dev-requests"): True,
    ("sync", "applications", "requests/orders-staging-requests"): True,
    ("sync", "applications", "requests/orders-production-requests"): False,
    ("sync", "applications", "requests/orders-dev-production-requests"): False,
    ("sync", "applications", "requests/dev-requests-production-requests"): False,
    ("override", "applications", "requests/orders-dev-requests"): False,
    ("create", "applications", "requests/orders-dev-requests"): False,
    ("update", "applications", "requests/orders-dev-requests"): False,
    ("delete", "applications", "requests/orders-dev-requests"): False,
    (DELETION, "applications", "requests/orders-dev-requests"): False,
    ("get", "projects", "requests"): True,
    ("update", "projects", "requests"): False,
    ("get", "applicationsets", "requests/requests"): True,
    ("update", "applicationsets", "requests/requests"): False,
    ("get", "clusters", PLATFORM): False,
}
BY_RELEASE_MANAGERS: dict[Asked, bool] = {
    ("sync", "applications", "microservices/order-service-production"): True,
    ("sync", "applications", "microservices/order-service-dev"): True,
    ("delete", "applications", "microservices/order-service-production"): True,
    ("delete/apps/Deployment/dev/a", "applications", "microservices/a-dev"): True,
    ("action/apps/Deployment/restart", "applications", "microservices/a-dev"): True,
    ("get", "logs", "microservices/order-service-production"): True,
    ("override", "applications", "microservices/order-service-production"): False,
    ("create", "exec", "microservices/order-service-production"): False,
    ("sync", "applications", "platform/trunkline"): True,
    ("get", "logs", "platform/trunkline"): True,
    ("get", "projects", "default"): True,
    ("update", "projects", "microservices"): False,
    ("create", "applicationsets", "microservices/services"): False,
    ("get", "clusters", WORKLOADS): True,
    ("update", "clusters", WORKLOADS): False,
    ("sync", "applications", "requests/orders-production-requests"): True,
    ("delete", "applications", "requests/orders-production-requests"): True,
    (DELETION, "applications", "requests/orders-production-requests"): True,
    ("override", "applications", "requests/orders-production-requests"): False,
    ("override", "applications", "requests/orders-dev-requests"): False,
    ("update", "projects", "requests"): False,
    ("update", "applicationsets", "requests/requests"): False,
}


def findings(objects: Iterable[Object]) -> list[str]:
    return [one["message"] for one in ask("validate", {"objects": list(objects)})["findings"]]


def decided(group: str, asks: Iterable[Asked], projects: Any = None) -> dict[Asked, bool]:
    """Say what somebody of a group may do, as Argo CD's API server decides it."""
    wanted = list(asks)
    question = {
        "projects": projects or of_kind(built(), "AppProject"),
        "rbac": rbac(),
        "asks": [
            {
                "subject": "somebody",
                "groups": [group],
                "resource": resource,
                "action": action,
                "object": target,
            }
            for action, resource, target in wanted
        ],
    }
    return dict(zip(wanted, ask("enforce", question)["answers"], strict=True))


def test_argo_cd_finds_nothing_in_what_ships() -> None:
    assert findings([*known_to_argocd(), rbac()]) == []


def test_argo_cd_finds_a_policy_that_reaches_out_of_its_project() -> None:
    reaching = project(built(), "microservices")
    reaching["spec"]["roles"][0]["policies"].append(
        "p, proj:microservices:developer, applications, sync, platform/*, allow"
    )
    (found,) = findings([reaching])
    assert "platform/*" in found


def test_every_project_is_known_here() -> None:
    known = {one["metadata"]["name"] for one in of_kind(built(), "AppProject")}
    assert known == set(PROJECTS)


@pytest.mark.parametrize("group", DEVELOPERS)
def test_developers_bring_dev_and_staging_up_to_date_and_see_the_rest(group: str) -> None:
    assert decided(group, BY_DEVELOPERS) == BY_DEVELOPERS


def test_release_managers_do_everything_but_deploy_what_is_not_in_git() -> None:
    assert decided(RELEASES, BY_RELEASE_MANAGERS) == BY_RELEASE_MANAGERS


@pytest.mark.parametrize("name", ["microservices", "requests"])
def test_a_project_gives_no_right_in_another(name: str) -> None:
    projects = [one for one in of_kind(built(), "AppProject") if one["metadata"]["name"] != name]
    asks = [
        (action, "applications", f"{name}/orders-dev{end}")
        for action in ("get", "sync", "delete", "override")
        for end in ("", "-requests")
    ]
    for group in (*DEVELOPERS, RELEASES):
        assert not any(decided(group, asks, projects).values())


@pytest.mark.parametrize("group", [*DEVELOPERS, RELEASES, STRANGER])
def test_nobody_uses_the_default_project(group: str) -> None:
    actions = ("get", "create", "update", "sync", "delete", "override")
    asks = [(action, "applications", "default/order-service-dev") for action in actions]
    assert not any(decided(group, asks).values())


def test_whoever_is_in_no_group_may_do_nothing() -> None:
    asks = {*BY_DEVELOPERS, *BY_RELEASE_MANAGERS}
    assert not any(decided(STRANGER, asks).values())


def test_a_right_to_sync_the_whole_project_would_be_noticed() -> None:
    projects = of_kind(built(), "AppProject")
    project(projects, "microservices")["spec"]["roles"][0]["policies"].append(
        "p, proj:microservices:developer, applications, sync, microservices/*, allow"
    )
    said = decided(DEVELOPERS[0], BY_DEVELOPERS, projects)
    wrong = {asked for asked, allowed in BY_DEVELOPERS.items() if said[asked] is not allowed}
    assert ("sync", "applications", "microservices/order-service-production") in wrong
    assert {action for action, _, _ in wrong} == {"sync"}
