"""A real API server with Tekton's own custom resources takes the files, and counts what it must."""

import copy
import re

import pytest
from servers.administrator import ObjectRefused
from servers.kubernetes import KubernetesServer
from tekton_files import ROOT, TRUSTED, UNTRUSTED, Object, built, documents, run_of_the_hub, the

FOREIGN = {"ExternalSecret"}
"""Kinds whose definitions are not Tekton's; they are judged elsewhere."""


@pytest.fixture(scope="module")
def cluster(kubernetes_server: KubernetesServer) -> KubernetesServer:
    """The server with the namespaces in it."""
    namespaces = [one for one in [*built(), *built("triggers")] if one["kind"] == "Namespace"]
    kubernetes_server.apply(*namespaces)
    return kubernetes_server


def shipped(folder: str = ".") -> list[Object]:
    return [one for one in built(folder) if one["kind"] not in FOREIGN]


@pytest.mark.parametrize("folder", [".", "triggers"])
def test_the_api_server_takes_every_object(cluster: KubernetesServer, folder: str) -> None:
    for one in shipped(folder):
        cluster.apply(one)
        assert cluster.get(one) is not None


@pytest.mark.parametrize(
    "file", sorted((ROOT / "config").glob("[!k]*.yaml")), ids=lambda one: one.name
)
def test_the_api_server_takes_the_settings_of_tekton(
    cluster: KubernetesServer, file: object
) -> None:
    (settings,) = documents(str(file))
    cluster.apply(
        {**settings, "metadata": {**settings["metadata"], "namespace": TRUSTED}}, dry_run=True
    )


def test_a_field_that_there_is_not_is_refused(cluster: KubernetesServer) -> None:
    pipeline = copy.deepcopy(the(built(), "Pipeline", "microservice-ci"))
    pipeline["spec"]["tasks"][0]["after"] = ["push"]
    with pytest.raises(ObjectRefused, match="after"):
        cluster.apply(pipeline, dry_run=True)


@pytest.mark.parametrize(
    ("namespace", "account"), [(TRUSTED, "pipeline"), (UNTRUSTED, "pipeline-untrusted")]
)
def test_the_api_server_takes_the_run_of_the_hub(
    cluster: KubernetesServer, namespace: str, account: str
) -> None:
    made = cluster.create(run_of_the_hub(namespace=namespace, account=account))
    assert made["spec"]["taskRunTemplate"]["serviceAccountName"] == account


@pytest.fixture
def lane(kubernetes_server: KubernetesServer, request: pytest.FixtureRequest) -> str:
    """A namespace like the trusted one, but for its quota, which no controller counts here."""
    (trusted,) = (
        one for one in built() if one["kind"] == "Namespace" and one["metadata"]["name"] == TRUSTED
    )
    name = "like-" + re.sub("[^a-z0-9]+", "-", request.node.name)[-50:].strip("-")
    place = {"namespace": name}
    parts = [the(built(), "ServiceAccount", "pipeline"), the(built(), "LimitRange", "runs")]
    kubernetes_server.apply(
        {**trusted, "metadata": {**trusted["metadata"], "name": name}},
        *({**one, "metadata": {**one["metadata"], **place}} for one in parts),
    )
    return name


def probe(server: KubernetesServer, lane: str, container: Object) -> None:
    """Create a pod with this container, as far as admission has a say in it."""
    pod = {
        "apiVersion": "v1",
        "kind": "Pod",
        "metadata": {"name": "probe"},
        "spec": {
            "serviceAccountName": "pipeline",
            "containers": [{"name": "a", "image": "a.example/a", **container}],
        },
    }
    server.ask("POST", f"/api/v1/namespaces/{lane}/pods", pod, {"dryRun": "All"})


@pytest.mark.usefixtures("servers")
def test_every_step_is_one_that_the_lane_takes(
    kubernetes_server: KubernetesServer, lane: str
) -> None:
    for task in built():
        if task["kind"] == "Task":
            template = task["spec"].get("stepTemplate", {})
            for each in task["spec"]["steps"]:
                context = {**template, **each}["securityContext"]
                container = {"securityContext": context, "resources": each["computeResources"]}
                probe(kubernetes_server, lane, container)


@pytest.mark.parametrize(
    "container",
    [
        {"securityContext": {"capabilities": {"add": ["SYS_ADMIN"]}}},
        {"securityContext": {"seccompProfile": {"type": "Unconfined"}}},
        {"ports": [{"containerPort": 80, "hostPort": 80}]},
    ],
    ids=["capability", "seccomp", "port"],
)
def test_what_is_more_than_baseline_is_refused(
    kubernetes_server: KubernetesServer, lane: str, container: Object
) -> None:
    with pytest.raises(ObjectRefused, match="violates PodSecurity"):
        probe(kubernetes_server, lane, container)


def test_a_container_may_not_take_more_than_the_limit(
    kubernetes_server: KubernetesServer, lane: str
) -> None:
    greedy = {"resources": {"limits": {"memory": "64Gi"}, "requests": {"cpu": "1"}}}
    with pytest.raises(ObjectRefused, match="maximum memory usage"):
        probe(kubernetes_server, lane, greedy)
