"""The platform's Argo CD files as a cluster gets them, and what Argo CD itself says about them."""

import json
import subprocess
from collections.abc import Iterable, Mapping
from functools import cache
from pathlib import Path
from typing import Any

import yaml
from servers.kustomize import kustomize
from servers.place import program

ROOT = Path(__file__).parents[2] / "argocd"
GITOPS = "https://github.com/company/gitops.git"
WORKLOADS = "https://workloads.example.com"
PLATFORM = "https://kubernetes.default.svc"

_SECONDS = 60.0

Object = dict[str, Any]


def ask(command: str, question: Mapping[str, Any]) -> Any:
    """Ask the program that has Argo CD's own code in it."""
    done = subprocess.run(
        [program("argocd-check"), command],
        input=json.dumps(question),
        capture_output=True,
        text=True,
        timeout=_SECONDS,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout)


@cache
def _built() -> str:
    return json.dumps(kustomize(ROOT))


def built() -> list[Object]:
    """Return what `kubectl apply -k` applies, each time anew, so that a test may spoil it."""
    objects: list[Object] = json.loads(_built())
    return objects


def document(file: str) -> Object:
    """Return the one object in a file that has one."""
    (found,) = (one for one in yaml.safe_load_all((ROOT / file).read_text()) if one)
    return dict(found)


def rbac() -> Object:
    return document("settings/argocd-rbac-cm.yaml")


def of_kind(objects: Iterable[Object], kind: str) -> list[Object]:
    return [one for one in objects if one["kind"] == kind]


def project(objects: Iterable[Object], name: str) -> Object:
    """Return the AppProject of this name."""
    projects = of_kind(objects, "AppProject")
    (found,) = (one for one in projects if one["metadata"]["name"] == name)
    return found


def services(objects: Iterable[Object]) -> Object:
    """Return the one ApplicationSet there is."""
    (found,) = of_kind(objects, "ApplicationSet")
    return found


def generated(objects: list[Object], folders: Iterable[str]) -> dict[str, Object]:
    """Return the Applications that Argo CD makes of a repository with these folders, by name."""
    question = {
        "applicationSet": services(objects),
        "projects": of_kind(objects, "AppProject"),
        "directories": list(folders),
    }
    applications: list[Object] = ask("generate", question)["applications"]
    named = {one["metadata"]["name"]: one for one in applications}
    assert len(named) == len(applications)
    return named
