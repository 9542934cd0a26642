"""The platform's Argo CD files as a cluster gets them, and what Argo CD itself says about them."""

from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

import yaml
from servers import judge, kustomize

ROOT = Path(__file__).parents[2] / "argocd"
GITOPS = "https://github.com/company/gitops.git"
WORKLOADS = "https://workloads.example.com"
PLATFORM = "https://kubernetes.default.svc"

Object = dict[str, Any]


def ask(command: str, question: Mapping[str, Any]) -> Any:
    """Ask the program that has Argo CD's own code in it."""
    return judge.ask("argocd-check", command, question)


def built() -> list[Object]:
    """Return what `kubectl apply -k` applies, each time anew, so that a test may spoil it."""
    return kustomize.built(ROOT)


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
