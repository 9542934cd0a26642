"""Who may do what, and what may be deployed from where to where, as Argo CD itself decides it."""

from typing import Any

import pytest
from argocd_files import Object, ask, built, projects, the

pytestmark = pytest.mark.usefixtures("servers")

GITOPS = "https://github.com/company/gitops.git"
DEVELOPER, RELEASER, PLATFORM, STRANGER = (
    ("developers",),
    ("release-managers",),
    ("platform-team",),
    ("marketing",),
)


def may(groups: tuple[str, ...], resource: str, action: str, target: str) -> bool:
    asked = {
        "subject": "somebody",
        "groups": [f"company:{group}" for group in groups],
        "resource": resource,
        "action": action,
        "object": target,
    }
    rbac = the("ConfigMap", "argocd-rbac-cm")
    (answer,) = ask("enforce", projects=projects(), rbac=rbac, asks=[asked])["answers"]
    return bool(answer)


def test_argo_cd_finds_no_fault_in_the_projects_and_the_policy() -> None:
    judged = [*projects(), the("ApplicationSet", "services"), the("ConfigMap", "argocd-rbac-cm")]
    assert ask("validate", objects=judged) == {"findings": []}


def spoilt(project: Object, **spec: Any) -> Object:
    return {**project, "spec": {**project["spec"], **spec}}


def test_argo_cd_finds_the_faults_that_are_planted() -> None:
    project = the("AppProject", "microservices")
    role = {"name": "x", "policies": ["p, proj:other:x, applications, get, other/*, allow"]}
    unknown = {**project, "spec": {**project["spec"], "sourceRepo": ["*"]}}
    policy = the("ConfigMap", "argocd-rbac-cm")
    policy["data"]["policy.csv"] = "p, role:platform, applications"
    findings = ask("validate", objects=[spoilt(project, roles=[role]), unknown, policy])["findings"]
    assert [one["object"] for one in findings] == [
        "AppProject/microservices",
        "AppProject/microservices",
        "ConfigMap/argocd-rbac-cm",
    ]


@pytest.mark.parametrize(
    ("groups", "resource", "action", "target", "is_allowed"),
    [
        (DEVELOPER, "applications", "get", "microservices/order-service-production", True),
        (DEVELOPER, "logs", "get", "microservices/order-service-production", True),
        (DEVELOPER, "applications", "sync", "microservices/order-service-dev", True),
        (DEVELOPER, "applications", "sync", "microservices/order-service-staging", True),
        (DEVELOPER, "applications", "sync", "microservices/order-service-production", False),
        (DEVELOPER, "applications", "override", "microservices/order-service-dev", False),
        (DEVELOPER, "applications", "delete", "microservices/order-service-dev", False),
        (DEVELOPER, "applications", "update", "microservices/order-service-dev", False),
        (DEVELOPER, "applications", "create", "microservices/order-service-dev", False),
        (DEVELOPER, "applications", "action/apps/Deployment/restart", "microservices/x-dev", False),
        (DEVELOPER, "applications", "get", "platform/trunkline", False),
        (DEVELOPER, "exec", "create", "microservices/order-service-dev", False),
        (RELEASER, "applications", "sync", "microservices/order-service-production", True),
        (RELEASER, "applications", "override", "microservices/order-service-production", False),
        (RELEASER, "applications", "delete", "microservices/order-service-production", False),
        (RELEASER, "applications", "sync", "platform/trunkline", False),
        (PLATFORM, "applications", "sync", "platform/trunkline", True),
        (PLATFORM, "applications", "delete", "microservices/order-service-dev", True),
        (PLATFORM, "logs", "get", "platform/trunkline", True),
        (PLATFORM, "accounts", "update", "admin", False),
        (STRANGER, "applications", "get", "microservices/order-service-dev", False),
        (STRANGER, "projects", "get", "microservices", False),
        ((), "applications", "get", "microservices/order-service-dev", False),
    ],
)
def test_who_may_do_what(
    groups: tuple[str, ...],
    resource: str,
    action: str,
    target: str,
    is_allowed: bool,  # noqa: FBT001  the table's last column
) -> None:
    assert may(groups, resource, action, target) == is_allowed


def permits(project: str, **asked: Any) -> bool:
    (answer,) = ask("permit", projects=projects(), asks=[{"project": project, **asked}])["answers"]
    return bool(answer)


@pytest.mark.parametrize("environment", ["dev", "staging", "production"])
def test_services_go_from_the_gitops_repository_to_their_cluster(environment: str) -> None:
    destination = {"name": "workloads", "namespace": environment}
    assert permits("microservices", source={"repoURL": GITOPS}, destination=destination)


@pytest.mark.parametrize(
    "asked",
    [
        {"source": {"repoURL": "https://github.com/stranger/gitops.git"}},
        {"source": {"repoURL": f"{GITOPS}/../other.git"}},
        {"destination": {"name": "workloads", "namespace": "kube-system"}},
        {"destination": {"server": "https://kubernetes.default.svc", "namespace": "production"}},
        {"destination": {"server": "https://kubernetes.default.svc", "namespace": "argocd"}},
        {"kind": {"group": "", "kind": "Secret", "namespaced": True}},
        {"kind": {"group": "rbac.authorization.k8s.io", "kind": "Role", "namespaced": True}},
        {"kind": {"group": "argoproj.io", "kind": "Application", "namespaced": True}},
        {"kind": {"group": "", "kind": "Namespace", "namespaced": False}},
        {
            "kind": {
                "group": "rbac.authorization.k8s.io",
                "kind": "ClusterRole",
                "namespaced": False,
            }
        },
    ],
)
def test_services_go_nowhere_else_and_make_nothing_else(asked: dict[str, Any]) -> None:
    assert not permits("microservices", **asked)


@pytest.mark.parametrize(
    "asked",
    [
        {"source": {"repoURL": GITOPS}},
        {"destination": {"server": "https://kubernetes.default.svc", "namespace": "argocd"}},
        {"destination": {"name": "workloads", "namespace": "production"}},
        {"kind": {"group": "", "kind": "ConfigMap", "namespaced": True}},
        {"kind": {"group": "", "kind": "Namespace", "namespaced": False}},
    ],
)
def test_the_default_project_permits_nothing(asked: dict[str, Any]) -> None:
    assert not permits("default", **asked)


@pytest.mark.parametrize(
    ("asked", "is_permitted"),
    [
        ({"kind": {"group": "", "kind": "Namespace", "namespaced": False}}, True),
        ({"kind": {"group": "pkg.crossplane.io", "kind": "Provider", "namespaced": False}}, True),
        ({"kind": {"group": "", "kind": "PersistentVolume", "namespaced": False}}, False),
        ({"kind": {"group": "", "kind": "Secret", "namespaced": True}}, False),
        ({"destination": {"name": "workloads", "namespace": "production"}}, False),
        ({"source": {"repoURL": GITOPS}}, False),
    ],
)
def test_the_platform_keeps_to_its_own(
    asked: dict[str, Any],
    is_permitted: bool,  # noqa: FBT001  the table's last column
) -> None:
    assert permits("platform", **asked) == is_permitted


def test_every_namespace_of_the_platform_s_own_files_is_one_of_its_destinations() -> None:
    places = {one["namespace"] for one in the("AppProject", "platform")["spec"]["destinations"]}
    assert {"argocd", "ci", "ci-forks", "crossplane-system", "trunkline"} <= places
    assert {one["metadata"]["namespace"] for one in built()} == {"argocd"}


def health(conditions: list[dict[str, str]] | None) -> str:
    database = {
        "apiVersion": "platform.company.com/v1alpha1",
        "kind": "PostgreSQLInstance",
        "metadata": {"namespace": "production", "name": "orders-db"},
        **({} if conditions is None else {"status": {"conditions": conditions}}),
    }
    settings = the("ConfigMap", "argocd-cm")
    (answer,) = ask("health", configMap=settings, objects=[database])["answers"]
    return str(answer["status"])


@pytest.mark.parametrize(
    ("conditions", "status"),
    [
        (None, "Progressing"),
        ([], "Progressing"),
        ([{"type": "Ready", "status": "False", "reason": "Creating"}], "Progressing"),
        (
            [{"type": "Synced", "status": "True"}, {"type": "Ready", "status": "True"}],
            "Healthy",
        ),
        (
            [
                {"type": "Ready", "status": "True"},
                {"type": "Synced", "status": "False", "reason": "ReconcileError"},
            ],
            "Degraded",
        ),
    ],
)
def test_argo_cd_waits_for_databases_buckets_and_queues(
    conditions: list[dict[str, str]] | None, status: str
) -> None:
    assert health(conditions) == status
