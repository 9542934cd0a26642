"""The files of `k8s/` as a cluster gets them, and what is to be said about pods in them."""

import copy
import hashlib
import shutil
import subprocess
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any

from servers import kustomize
from servers.place import program

from hub.configuration import load
from hub.settings import Settings

ROOT = Path(__file__).parents[2]
FOLDER = ROOT / "k8s"
OVERLAYS = ("single", "production")
NAMESPACE = "trunkline"
IMAGE = f"registry.example.com/platform/trunkline@sha256:{hashlib.sha256(b'built').hexdigest()}"
"""What somebody who has built the image would pin."""

_SECONDS = 60.0

Object = dict[str, Any]


def built(overlay: str) -> list[Object]:
    """What `kubectl apply -k` applies, each time anew, so that a test may spoil it."""
    return kustomize.built(FOLDER / "overlays" / overlay)


def pinned(overlay: str, scratch: Path) -> list[Object]:
    """The same, after the image was pinned as the README says."""
    shutil.copytree(FOLDER, scratch / "k8s")
    folder = scratch / "k8s" / "overlays" / overlay
    subprocess.run(
        [program("kustomize"), "edit", "set", "image", f"trunkline={IMAGE}"],
        cwd=folder,
        timeout=_SECONDS,
        check=True,
    )
    return kustomize.kustomize(folder)


def of_kind(objects: Iterable[Object], *kinds: str) -> list[Object]:
    return [one for one in objects if one["kind"] in kinds]


def the(objects: Iterable[Object], kind: str, name: str, namespace: str = NAMESPACE) -> Object:
    (found,) = [
        one
        for one in of_kind(objects, kind)
        if one["metadata"]["name"] == name
        and one["metadata"].get("namespace", namespace) == namespace
    ]
    return found


def workloads(objects: Iterable[Object]) -> list[Object]:
    """Everything that makes pods."""
    return [one for one in objects if "template" in (one.get("spec") or {}) and _makes_pods(one)]


def _makes_pods(one: Object) -> bool:
    return "containers" in one["spec"]["template"].get("spec", {})


def pod_spec(workload: Object) -> Object:
    spec: Object = workload["spec"]["template"]["spec"]
    return spec


def container(workload: Object) -> Object:
    (only,) = pod_spec(workload)["containers"]
    assert isinstance(only, dict)
    return only


def pod(workload: Object) -> Object:
    """A pod as the workload's controller makes it, with its claims as plain volumes."""
    template = copy.deepcopy(workload["spec"]["template"])
    claims = workload["spec"].get("volumeClaimTemplates", [])
    template["spec"].setdefault("volumes", []).extend(
        {
            "name": claim["metadata"]["name"],
            "persistentVolumeClaim": {"claimName": claim["metadata"]["name"]},
        }
        for claim in claims
    )
    named = {"name": workload["metadata"]["name"], "namespace": NAMESPACE}
    return {
        "apiVersion": "v1",
        "kind": "Pod",
        "metadata": template["metadata"] | named,
        "spec": template["spec"],
    }


def settings(objects: Iterable[Object], scratch: Path) -> Settings:
    """What the hub makes of the very file that its pods are given."""
    (config,) = of_kind(objects, "ConfigMap")
    file = scratch / "trunkline.yaml"
    file.write_text(config["data"]["trunkline.yaml"])
    return load(file, {})


def files_in(workload: Object, objects: Iterable[Object]) -> set[str]:
    """The files that a pod of the workload finds in its volumes of secrets and tokens."""
    contents = {
        volume["name"]: _entries(volume, objects) for volume in pod_spec(workload)["volumes"]
    }
    return {
        f"{mount['mountPath']}/{entry}"
        for mount in container(workload)["volumeMounts"]
        for entry in contents.get(mount["name"], ())
    }


def _entries(volume: Object, objects: Iterable[Object]) -> Iterator[str]:
    if secret := volume.get("secret"):
        external = the(objects, "ExternalSecret", secret["secretName"])
        assert external["spec"]["target"]["name"] == secret["secretName"]
        yield from (one["secretKey"] for one in external["spec"]["data"])
    for source in volume.get("projected", {}).get("sources", ()):
        if token := source.get("serviceAccountToken"):
            yield token["path"]
        yield from (item["path"] for item in source.get("configMap", {}).get("items", ()))
