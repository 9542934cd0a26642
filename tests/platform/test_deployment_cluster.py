"""A real API server takes the deployment, and its own admission guards the pods.

Unknown fields are refused (strict validation). The definitions of External Secrets, the Prometheus
operator, KEDA and Strimzi are theirs.
"""

import copy
from collections.abc import Iterator, Mapping
from pathlib import Path

import pytest
from deployment_files import (
    IMAGE,
    OVERLAYS,
    built,
    container,
    of_kind,
    pinned,
    pod,
    pod_spec,
    the,
    workloads,
)
from servers.kubernetes import KubernetesServer, kubernetes

CRDS = sorted((Path(__file__).parents[1] / "data" / "deployment-crds").rglob("*.yaml"))
NEIGHBOURS = ("argocd", "ci", "ci-forks", "external-secrets", "kafka")
"""Namespaces of others, in which the deployment has something to say."""


@pytest.fixture(scope="module")
def cluster(servers: None) -> Iterator[KubernetesServer]:
    """A server of its own, with what is there before Trunkline is.

    It lets privileged pods be, as clusters do whose own parts need them: only the namespace's
    standard stands against them.
    """
    with kubernetes(options={"allow-privileged": "true"}, platform=False) as server:
        server.install(*CRDS)
        for name in NEIGHBOURS:
            server.apply({"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": name}})
        yield server


@pytest.fixture(scope="module")
def guarded(
    cluster: KubernetesServer, tmp_path_factory: pytest.TempPathFactory
) -> KubernetesServer:
    """The cluster with both deployments in it."""
    for overlay in OVERLAYS:
        cluster.apply(*pinned(overlay, tmp_path_factory.mktemp(overlay)))
    return cluster


@pytest.mark.parametrize("overlay", OVERLAYS)
def test_the_api_server_takes_every_object(guarded: KubernetesServer, overlay: str) -> None:
    for one in built(overlay):
        assert guarded.get(one) is not None, one["metadata"]["name"]


@pytest.mark.parametrize("overlay", OVERLAYS)
def test_the_api_server_keeps_every_field(
    guarded: KubernetesServer, overlay: str, tmp_path: Path
) -> None:
    for one in pinned(overlay, tmp_path):
        (kept,) = guarded.apply(one, dry_run=True)
        assert lost(one, kept) == [], one["metadata"]["name"]


def lost(wanted: object, kept: object, place: str = "") -> list[str]:
    """Where mappings have keys that did not come back."""
    if isinstance(wanted, Mapping) and isinstance(kept, Mapping):
        return [
            each
            for key, value in wanted.items()
            if value is not None
            for each in (
                lost(value, kept[key], f"{place}.{key}") if key in kept else [f"{place}.{key}"]
            )
        ]
    if isinstance(wanted, list) and isinstance(kept, list):
        pairs = zip(wanted, kept, strict=False)
        short = [place] if len(kept) < len(wanted) else []
        return short + [each for one, other in pairs for each in lost(one, other, place)]
    return []


@pytest.mark.parametrize(
    ("kind", "place"),
    [
        ("ExternalSecret", "spec"),
        ("ClusterSecretStore", "spec"),
        ("ServiceMonitor", "spec"),
        ("PrometheusRule", "spec"),
        ("ScaledObject", "spec"),
        ("KafkaTopic", "spec"),
        ("KafkaUser", "spec"),
        ("StatefulSet", "spec"),
        ("NetworkPolicy", "spec"),
    ],
)
def test_a_field_that_there_is_not_is_refused(
    cluster: KubernetesServer, kind: str, place: str
) -> None:
    spoilt = copy.deepcopy(of_kind(built("production"), kind)[0])
    spoilt[place]["frequency"] = 1
    assert "frequency" in cluster.refusal(spoilt)


@pytest.mark.parametrize("overlay", OVERLAYS)
def test_pods_are_admitted_under_the_restricted_standard(
    guarded: KubernetesServer, overlay: str, tmp_path: Path
) -> None:
    for one in workloads(pinned(overlay, tmp_path)):
        assert container(one)["image"] == IMAGE
        assert guarded.refusal(pod(one)) == ""


def test_a_privileged_pod_is_refused(guarded: KubernetesServer, tmp_path: Path) -> None:
    for one in workloads(pinned("production", tmp_path)):
        planted = pod(one)
        del planted["spec"]["containers"][0]["securityContext"]["allowPrivilegeEscalation"]
        planted["spec"]["containers"][0]["securityContext"]["privileged"] = True
        assert 'violates PodSecurity "restricted' in guarded.refusal(planted)


def test_a_pod_on_the_network_of_its_node_is_refused(
    guarded: KubernetesServer, tmp_path: Path
) -> None:
    planted = pod(workloads(pinned("single", tmp_path))[0])
    planted["spec"]["hostNetwork"] = True
    assert "host namespaces" in guarded.refusal(planted)


async def test_a_pod_is_refused_until_its_image_is_pinned(guarded: KubernetesServer) -> None:
    for one in [each for overlay in OVERLAYS for each in workloads(built(overlay))]:
        why = await guarded.settled_refusal(pod(one))
        assert "an image has to be named by its digest" in why


@pytest.mark.parametrize("image", ["trunkline:1.0", "trunkline@sha256:0a1b", "trunkline:latest"])
async def test_a_tag_is_no_digest(guarded: KubernetesServer, image: str, tmp_path: Path) -> None:
    planted = pod(workloads(pinned("production", tmp_path))[0])
    planted["spec"]["containers"][0]["image"] = image
    assert "named by its digest" in await guarded.settled_refusal(planted)


@pytest.mark.usefixtures("servers")
def test_nothing_writes_to_the_root_of_its_image() -> None:
    for overlay in OVERLAYS:
        for one in workloads(built(overlay)):
            writable = [
                mount["mountPath"]
                for mount in container(one)["volumeMounts"]
                if not mount.get("readOnly")
            ]
            assert sorted(writable) == ["/tmp", "/var/lib/trunkline"]  # noqa: S108
            assert {volume["name"] for volume in pod_spec(one)["volumes"]} >= {"tmp"}


def test_the_deployment_has_one_account_with_rights(guarded: KubernetesServer) -> None:
    accounts = guarded.objects("v1", "ServiceAccount", namespace="trunkline")
    ours = {one["metadata"]["name"] for one in accounts} - {"default"}
    assert ours == {"trunkline-receiver", "trunkline-worker"}
    binding = the(built("production"), "ClusterRoleBinding", "trunkline-worker")
    assert guarded.get(binding) is not None


def may(cluster: KubernetesServer, account: str, asked: str) -> bool:
    """What the API server's own authorizer says to `VERB RESOURCE.GROUP[/NAME] in NAMESPACE`."""
    what, _, namespace = asked.partition(" in ")
    verb, _, resource = what.partition(" ")
    kind, _, name = resource.partition("/")
    plural, _, group = kind.partition(".")
    review = {
        "apiVersion": "authorization.k8s.io/v1",
        "kind": "SubjectAccessReview",
        "spec": {
            "user": f"system:serviceaccount:trunkline:{account}",
            "resourceAttributes": {
                "verb": verb,
                "group": group,
                "resource": plural,
                "name": name,
                "namespace": namespace,
            },
        },
    }
    path = "/apis/authorization.k8s.io/v1/subjectaccessreviews"
    return bool(cluster.ask("POST", path, review)["status"]["allowed"])


@pytest.mark.parametrize(
    ("asked", "allowed"),
    [
        ("create pipelineruns.tekton.dev in ci", True),
        ("patch pipelineruns.tekton.dev in ci-forks", True),
        ("delete pipelineruns.tekton.dev in ci", False),
        ("create pipelineruns.tekton.dev in argocd", False),
        ("create taskruns.tekton.dev in ci", False),
        ("watch applications.argoproj.io in argocd", True),
        ("patch applications.argoproj.io in argocd", False),
        ("watch postgresqlinstances.platform.company.com in orders", True),
        ("create postgresqlinstances.platform.company.com in orders", False),
        ("update leases.coordination.k8s.io/trunkline-watcher in trunkline", True),
        ("update leases.coordination.k8s.io/another in trunkline", False),
        ("update leases.coordination.k8s.io/trunkline-watcher in kube-system", False),
        ("get secrets in trunkline", False),
        ("list secrets in ci", False),
        ("list events.events.k8s.io in orders", True),
        ("create events.events.k8s.io in orders", False),
        ("create pods in trunkline", False),
        ("get configmaps in trunkline", False),
    ],
)
def test_the_worker_may_do_its_work_and_nothing_else(
    guarded: KubernetesServer, asked: str, *, allowed: bool
) -> None:
    assert may(guarded, "trunkline-worker", asked) is allowed
    assert not may(guarded, "trunkline-receiver", asked)
