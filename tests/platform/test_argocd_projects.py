"""Argo CD's own projects say what may be deployed, from where and to where."""

from collections.abc import Sequence

import pytest
from argocd_files import GITOPS, PLATFORM, WORKLOADS, Object, ask, built, of_kind

pytestmark = pytest.mark.usefixtures("servers")


def permitted(asks: Sequence[Object]) -> list[bool]:
    """Say whether projects take sources, destinations and kinds."""
    question = {"projects": of_kind(built(), "AppProject"), "asks": list(asks)}
    answers: list[bool] = ask("permit", question)["answers"]
    return answers


def source(project: str, repository: str) -> Object:
    return {"project": project, "source": {"repoURL": repository}}


def destination(project: str, server: str, namespace: str) -> Object:
    return {"project": project, "destination": {"server": server, "namespace": namespace}}


def kind(project: str, named: str, *, namespaced: bool = True) -> Object:
    """Ask about `KIND.GROUP`."""
    name, _, group = named.partition(".")
    asked = {"group": group, "kind": name, "namespaced": namespaced}
    return {"project": project, "kind": asked}


@pytest.mark.parametrize("name", ["microservices", "platform", "requests"])
def test_only_the_gitops_repository_is_a_source(name: str) -> None:
    repositories = {
        GITOPS: True,
        "https://github.com/company/gitops-copy.git": False,
        "https://github.com/somebody/gitops.git": False,
        "https://charts.example.com": False,
    }
    said = permitted([source(name, repository) for repository in repositories])
    assert said == list(repositories.values())


def test_only_the_places_that_are_listed_are_deployed_to() -> None:
    places = {
        ("microservices", WORKLOADS, "dev"): True,
        ("microservices", WORKLOADS, "staging"): True,
        ("microservices", WORKLOADS, "production"): True,
        ("microservices", WORKLOADS, "kube-system"): False,
        ("microservices", WORKLOADS, "production-eu"): False,
        ("microservices", PLATFORM, "production"): False,
        ("microservices", PLATFORM, "argocd"): False,
        ("platform", PLATFORM, "argocd"): True,
        ("platform", PLATFORM, "crossplane-system"): True,
        ("platform", PLATFORM, "kube-system"): False,
        ("platform", WORKLOADS, "argocd"): False,
        ("requests", PLATFORM, "dev"): True,
        ("requests", PLATFORM, "staging"): True,
        ("requests", PLATFORM, "production"): True,
        ("requests", PLATFORM, "argocd"): False,
        ("requests", PLATFORM, "crossplane-system"): False,
        ("requests", WORKLOADS, "production"): False,
    }
    said = permitted([destination(*place) for place in places])
    assert dict(zip(places, said, strict=True)) == places


def test_what_a_service_may_be_made_of() -> None:
    kinds = {
        "Deployment.apps": True,
        "ExternalSecret.external-secrets.io": True,
        "Job.batch": True,
        "ConfigMap": True,
        "Secret": False,
        "ResourceQuota": False,
        "LimitRange": False,
        "RoleBinding.rbac.authorization.k8s.io": False,
        "PostgreSQLInstance.platform.company.com": False,
    }
    said = permitted([kind("microservices", one) for one in kinds])
    assert dict(zip(kinds, said, strict=True)) == kinds


def test_what_can_be_asked_for_is_nothing_but_requests() -> None:
    kinds = {
        "PostgreSQLInstance.platform.company.com": True,
        "S3Bucket.platform.company.com": True,
        "SQSQueue.platform.company.com": True,
        "Instance.rds.aws.m.upbound.io": False,
        "PushSecret.external-secrets.io": False,
        "ExternalSecret.external-secrets.io": False,
        "RoleBinding.rbac.authorization.k8s.io": False,
        "Application.argoproj.io": False,
        "PipelineRun.tekton.dev": False,
        "Deployment.apps": False,
        "Job.batch": False,
        "ConfigMap": False,
        "Secret": False,
    }
    said = permitted([kind("requests", one) for one in kinds])
    assert dict(zip(kinds, said, strict=True)) == kinds


def test_a_service_changes_nothing_that_is_in_no_namespace() -> None:
    kinds = ("Namespace", "ClusterRole.rbac.authorization.k8s.io", "ClusterSecretStore.x.io")
    own = (*kinds, "PostgreSQLInstance.platform.company.com")
    for name in ("microservices", "requests"):
        assert not any(permitted([kind(name, one, namespaced=False) for one in own]))
    assert all(permitted([kind("platform", one, namespaced=False) for one in kinds]))


def test_the_default_project_takes_nothing() -> None:
    asks = [
        source("default", GITOPS),
        destination("default", PLATFORM, "default"),
        destination("default", WORKLOADS, "dev"),
        kind("default", "ConfigMap"),
        kind("default", "Deployment.apps"),
        kind("default", "Namespace", namespaced=False),
    ]
    assert not any(permitted(asks))
