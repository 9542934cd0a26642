"""A real API server with Tekton's own custom resources takes the files, and counts what it must."""

import copy
import json
import re
from pathlib import Path
from typing import Any

import pytest
from servers.administrator import ObjectRefused
from servers.kubernetes import KubernetesServer
from tekton_files import ROOT, TRUSTED, UNTRUSTED, Object, built, documents, run_of_the_hub, the

DATA = Path(__file__).parents[1] / "data"
EXTERNAL_SECRET = DATA / "crds" / "catalog" / "external-secrets.io__externalsecret_v1.json"


def structural(schema: Any) -> Any:
    """Return a schema as a definition may have it: it refuses other fields without being told."""
    if isinstance(schema, list):
        return [structural(one) for one in schema]
    if not isinstance(schema, dict):
        return schema
    kept = {name: structural(one) for name, one in schema.items()}
    if "properties" in schema and kept.get("additionalProperties") is False:
        del kept["additionalProperties"]
    return kept


def definition_of_external_secrets() -> Object:
    """Return the custom resource definition that has the published schema in it."""
    schema = structural(json.loads(EXTERNAL_SECRET.read_text()))
    version = {"name": "v1", "served": True, "storage": True, "schema": {"openAPIV3Schema": schema}}
    names = {"kind": "ExternalSecret", "plural": "externalsecrets", "singular": "externalsecret"}
    return {
        "apiVersion": "apiextensions.k8s.io/v1",
        "kind": "CustomResourceDefinition",
        "metadata": {"name": "externalsecrets.external-secrets.io"},
        "spec": {
            "group": "external-secrets.io",
            "names": names,
            "scope": "Namespaced",
            "versions": [version],
        },
    }


@pytest.fixture(scope="module")
def cluster(kubernetes_server: KubernetesServer, tmp_path_factory: Any) -> KubernetesServer:
    """The server with the namespaces in it, and with the External Secrets' custom resource."""
    file = tmp_path_factory.mktemp("crds") / "externalsecret.yaml"
    file.write_text(json.dumps(definition_of_external_secrets()))
    kubernetes_server.install(file)
    namespaces = [one for one in [*built(), *built("triggers")] if one["kind"] == "Namespace"]
    kubernetes_server.apply(*namespaces)
    return kubernetes_server


@pytest.mark.parametrize("folder", [".", "triggers"])
def test_the_api_server_takes_every_object(cluster: KubernetesServer, folder: str) -> None:
    for one in built(folder):
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


def test_a_field_of_a_secret_that_there_is_not_is_refused(cluster: KubernetesServer) -> None:
    secret = copy.deepcopy(the(built(), "ExternalSecret", "sonar"))
    secret["spec"]["target"]["creation"] = "Owner"
    with pytest.raises(ObjectRefused, match="creation"):
        cluster.apply(secret, dry_run=True)


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
