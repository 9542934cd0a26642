"""What the pages tell an installer to type is typed: the real kubectl, at a real API server.

Nothing runs beside the server: what a controller would do between two commands is done here.
"""

import os
import re
import shutil
import subprocess
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from servers.composites import Object, write_crds
from servers.kubernetes import KubernetesServer, kubernetes
from servers.place import program
from tekton_files import run_of_the_hub

ROOT = Path(__file__).parents[2]
DATA = ROOT / "tests" / "data"
FOLDERS = ("argocd", "crossplane", "external-secrets", "k8s", "tekton")
CRDS = sorted([*(DATA / "aws-crds").glob("*.yaml"), *(DATA / "deployment-crds").rglob("*.yaml")])
NAMESPACES = (
    *("argocd", "ci", "ci-forks", "crossplane-system", "external-secrets", "kafka"),
    *("production", "tekton-pipelines"),
)
"""Those that the pages take to be there."""
DIGEST = f"sha256:{'1f' * 32}"
SECONDS = 60.0

Shell = Callable[[str], str]


@pytest.fixture(scope="module")
def cluster(servers: None) -> Iterator[KubernetesServer]:
    """A cluster in which everything is installed that the pages ask for first."""
    with kubernetes() as server:
        server.install(*CRDS)
        server.apply(*[named("v1", "Namespace", name) for name in NAMESPACES])
        yield server


@pytest.fixture(scope="module")
def shell(cluster: KubernetesServer, tmp_path_factory: pytest.TempPathFactory) -> Shell:
    """Types a command into a shell in a checkout, and returns what it says; fails with it."""
    checkout = tmp_path_factory.mktemp("checkout")
    for folder in FOLDERS:
        shutil.copytree(ROOT / folder, checkout / folder)
    (checkout / "secrets").mkdir()
    (checkout / "secrets" / "tekton-path").write_text("a-key-in-an-address")
    cluster.write_kubeconfig(checkout / "kubeconfig")
    programs = ":".join(str(program(name).parent) for name in ("kubectl", "kustomize"))
    surroundings = {
        "PATH": f"{programs}:{os.environ['PATH']}",
        "KUBECONFIG": str(checkout / "kubeconfig"),
        "HOME": str(checkout),
    }

    def typed(command: str) -> str:
        done = subprocess.run(
            ["sh", "-euc", command],
            cwd=checkout,
            env=surroundings,
            capture_output=True,
            text=True,
            timeout=SECONDS,
            check=False,
        )
        assert done.returncode == 0, f"{command}\n{done.stdout}{done.stderr}"
        return done.stdout

    return typed


def named(api_version: str, kind: str, name: str, **metadata: str) -> Object:
    return {"apiVersion": api_version, "kind": kind, "metadata": {"name": name, **metadata}}


BLOCK = re.compile(r"^ *```\w*\n(.*?)^ *```", re.MULTILINE | re.DOTALL)
INLINE = re.compile(r"`(kubectl [^`]+)`")
TYPED = re.compile(r"^ *(?:\$ )?(.*\b(?:kubectl|kustomize) .+)$", re.MULTILINE)


def written(page: str) -> list[str]:
    """Return the commands of a page that have kubectl or kustomize in them, in their order."""
    text = (ROOT / page).read_text()
    in_blocks = [
        (block.start(1) + line.start(), line[1])
        for block in BLOCK.finditer(text)
        for line in TYPED.finditer(block[1])
    ]
    beside = BLOCK.sub(lambda block: " " * len(block[0]), text)
    inline = [(one.start(), one[1]) for one in INLINE.finditer(beside)]
    return [command for _, command in sorted(in_blocks + inline)]


def test_argo_cd_s_files_are_applied(shell: Shell, cluster: KubernetesServer) -> None:
    for command in written("argocd/README.md"):
        shell(command)
    assert cluster.get(
        named("argoproj.io/v1alpha1", "AppProject", "microservices", namespace="argocd")
    )


def test_argo_cd_s_notifications_are_patched_into_what_is_there(
    shell: Shell, cluster: KubernetesServer
) -> None:
    there = named("v1", "ConfigMap", "argocd-notifications-cm", namespace="argocd")
    cluster.apply({**there, "data": {"service.slack": "token: $slack-token"}})
    (patch,) = written("argocd/notifications/README.md")
    shell(f"cd argocd/notifications; {patch}")
    data = (cluster.get(there) or {})["data"]
    assert data["service.slack"] == "token: $slack-token"
    assert "service.webhook.trunkline" in data


def test_the_stores_of_both_clusters_are_applied(shell: Shell, cluster: KubernetesServer) -> None:
    for command in written("external-secrets/README.md"):
        shell(command)
    stores = cluster.objects("external-secrets.io/v1", "ClusterSecretStore")
    assert {"platform", "aws", "aws-dev"} <= {one["metadata"]["name"] for one in stores}


def test_crossplane_s_packages_are_applied_and_waited_for(
    shell: Shell, cluster: KubernetesServer
) -> None:
    packages, wait, *_ = written("crossplane/README.md")
    shell(packages)
    installed = [
        one
        for kind in ("Provider", "Function")
        for one in cluster.objects("pkg.crossplane.io/v1", kind)
    ]
    for one in installed:
        cluster.patch_status(one, {"conditions": [condition("Healthy")]})
    said = shell(wait)
    assert [
        one["metadata"]["name"] for one in installed if one["metadata"]["name"] not in said
    ] == []


def test_crossplane_s_files_are_applied_and_what_was_asked_for_is_shown(
    shell: Shell, cluster: KubernetesServer, tmp_path: Path
) -> None:
    apply, requests, events, secret = written("crossplane/README.md")[2:]
    shell(apply)
    cluster.install(write_crds(tmp_path))
    shell("kubectl apply -f crossplane/examples/team.yaml")
    assert "postgresqlinstance.platform.company.com/orders" in shell(requests)

    said = named("v1", "Event", "orders.1", namespace="production")
    about = {"kind": "PostgreSQLInstance", "name": "orders", "namespace": "production"}
    cluster.create({**said, "involvedObject": about, "reason": "Composed", "message": "done"})
    assert "Composed" in shell(events)

    kept = named("v1", "Secret", "orders-database", namespace="production")
    cluster.create({**kept, "stringData": {"endpoint": "db.example.com", "port": "5432"}})
    assert shell(secret) == "endpoint: db.example.com\nport: 5432\n"


def test_the_hub_is_applied_and_its_rollout_is_followed(
    shell: Shell, cluster: KubernetesServer
) -> None:
    pin, apply, receiver, worker = written("k8s/README.md")
    shell(f"cd k8s/overlays/production; {pin.replace('sha256:...', DIGEST)}")
    shell(apply)
    for kind, name in (("StatefulSet", "trunkline-receiver"), ("Deployment", "trunkline-worker")):
        rolled_out(cluster, named("apps/v1", kind, name, namespace="trunkline"))
    assert "complete" in shell(receiver)
    assert "successfully rolled out" in shell(worker)


def test_tekton_s_files_are_applied_with_the_key_in_the_address(
    shell: Shell, cluster: KubernetesServer
) -> None:
    apply, events, find, triggers = written("tekton/README.md")
    shell(apply)
    shell(events)
    config = named("v1", "ConfigMap", "config-events", namespace="tekton-pipelines")
    assert (cluster.get(config) or {})["data"]["sink"].endswith("/a-key-in-an-address")
    run = cluster.create(run_of_the_hub())
    assert run["metadata"]["name"] in shell(find)
    shell(triggers)
    listener = named(
        "triggers.tekton.dev/v1beta1", "EventListener", "github", namespace="ci-triggers"
    )
    assert cluster.get(listener)


def condition(name: str) -> Object:
    time = "2026-01-31T09:30:00Z"
    return {"type": name, "status": "True", "reason": name, "lastTransitionTime": time}


def rolled_out(cluster: KubernetesServer, workload: Object) -> None:
    """Say of a workload what its controller says once all of its pods are new and ready."""
    found = cluster.get(workload)
    assert found is not None
    wanted = found["spec"].get("replicas", 1)
    counts = ("replicas", "updatedReplicas", "readyReplicas", "availableReplicas")
    status = dict.fromkeys(counts, wanted)
    cluster.patch_status(
        workload, {"observedGeneration": found["metadata"]["generation"], **status}
    )
