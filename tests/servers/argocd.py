"""Argo CD's own controllers beside a real API server, with the Redis that they share.

There are no nodes: whoever asks plays what makes Deployments available and ends Jobs.
"""

import json
import os
import subprocess
from base64 import b64encode
from collections.abc import Iterator, Mapping
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Any

from .kubernetes import KubernetesServer
from .place import program
from .process import HOST, HeldPort

NAMESPACE = "argocd"
ACCOUNT = "argocd-application-controller"

_CONTROLLERS = (
    *("redis", "repo-server", "application-controller"),
    *("applicationset-controller", "notifications-controller"),
)
_LOOK_SECONDS = 3

Object = dict[str, Any]


def installed(notifications: Mapping[str, str]) -> list[Object]:
    """Return what the controllers expect of an installation, but for their ConfigMaps.

    The account has the rights that Argo CD's own manifests give it; `notifications` are secrets.
    """
    named = {"name": ACCOUNT, "namespace": NAMESPACE}
    rbac = "rbac.authorization.k8s.io"
    return [
        {"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": NAMESPACE}},
        {"apiVersion": "v1", "kind": "ServiceAccount", "metadata": named},
        {
            "apiVersion": f"{rbac}/v1",
            "kind": "ClusterRoleBinding",
            "metadata": {"name": ACCOUNT},
            "roleRef": {"apiGroup": rbac, "kind": "ClusterRole", "name": "cluster-admin"},
            "subjects": [{"kind": "ServiceAccount", **named}],
        },
        _secret("argocd-secret", {"server.secretkey": "for tests"}),
        _secret("argocd-notifications-secret", notifications),
    ]


def workloads(server: KubernetesServer) -> Object:
    """Return the Secret that makes an API server a cluster to deploy to, at its own address."""
    config = {
        "bearerToken": _token(server),
        "tlsClientConfig": {"caData": b64encode(server.ca_file.read_bytes()).decode()},
    }
    said = {"name": "workloads", "server": server.url, "config": json.dumps(config)}
    made = _secret("workloads", said)
    made["metadata"]["labels"] = {"argocd.argoproj.io/secret-type": "cluster"}
    return made


def _secret(name: str, said: Mapping[str, str]) -> Object:
    labels = {"app.kubernetes.io/part-of": "argocd"}
    metadata = {"name": name, "namespace": NAMESPACE, "labels": labels}
    return {"apiVersion": "v1", "kind": "Secret", "metadata": metadata, "stringData": dict(said)}


def _token(server: KubernetesServer) -> str:
    place = f"/api/v1/namespaces/{NAMESPACE}/serviceaccounts/{ACCOUNT}/token"
    wanted = {"apiVersion": "authentication.k8s.io/v1", "kind": "TokenRequest", "spec": {}}
    return str(server.ask("POST", place, wanted)["status"]["token"])


@contextmanager
def argocd(server: KubernetesServer, folder: Path) -> Iterator[None]:
    """Run the controllers while the block lasts; what they say goes into `folder`.

    They look at git every few seconds. `installed` has to be applied before.
    """
    config = folder / "kubeconfig"
    server.write_kubeconfig(config, token=_token(server))
    options = _options(config)
    surroundings = _surroundings(config, folder)
    with ExitStack() as stack:
        for name in _CONTROLLERS:
            process = subprocess.Popen(
                [program("argocd"), name, *options[name]],
                stdout=stack.enter_context((folder / f"{name}.log").open("w")),
                stderr=subprocess.STDOUT,
                env=surroundings,
                cwd=folder,
            )
            stack.callback(process.wait)
            stack.callback(process.kill)
        yield


def _options(config: Path) -> dict[str, list[str]]:
    places = [HeldPort() for _ in range(9)]
    for place in places:
        place.release()
    redis, repositories, *others = places
    ports = (str(one.number) for one in others)
    cluster = [f"--kubeconfig={config}", f"--namespace={NAMESPACE}"]
    return {
        "redis": [redis.address],
        "repo-server": [
            *(f"--address={HOST}", f"--port={repositories.number}", "--disable-tls"),
            "--client-ca-path=",
            *(f"--metrics-address={HOST}", f"--metrics-port={next(ports)}"),
            *(f"--redis={redis.address}", f"--revision-cache-expiration={_LOOK_SECONDS}s"),
        ],
        "application-controller": [
            *cluster,
            *(f"--redis={redis.address}", f"--repo-server={repositories.address}"),
            *("--repo-server-plaintext", f"--metrics-port={next(ports)}"),
            *(f"--app-resync={_LOOK_SECONDS}", "--app-resync-jitter=0"),
        ],
        "applicationset-controller": [
            *cluster,
            *(f"--argocd-repo-server={repositories.address}", "--repo-server-plaintext"),
            *(f"--metrics-addr={HOST}:{next(ports)}", f"--probe-addr={HOST}:{next(ports)}"),
            *(f"--webhook-addr={HOST}:{next(ports)}", "--enable-leader-election=false"),
        ],
        "notifications-controller": [
            *cluster,
            *(f"--argocd-repo-server={repositories.address}", "--argocd-repo-server-plaintext"),
            f"--metrics-port={next(ports)}",
        ],
    }


def _surroundings(config: Path, folder: Path) -> dict[str, str]:
    tools = folder / "tools"
    tools.mkdir()
    # It asks this of every commit, whether a project wants signatures or not; ours want none.
    verify = tools / "git-verify-wrapper.sh"
    verify.write_text("#!/bin/sh\n")
    verify.chmod(0o755)
    places = (tools, program("kustomize").parent, os.environ["PATH"])
    return {
        "PATH": os.pathsep.join(map(str, places)),
        "HOME": str(folder),
        "TMPDIR": str(folder),
        "KUBECONFIG": str(config),
        # The cluster that it is in is the one of the kubeconfig.
        "ARGOCD_FAKE_IN_CLUSTER": "true",
        "ARGOCD_GPG_ENABLED": "false",
    }
