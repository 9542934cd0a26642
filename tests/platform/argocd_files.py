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


def known_to_argocd() -> list[Object]:
    """Return of this what is of Argo CD's own kinds."""
    return [one for one in built() if one["apiVersion"].startswith("argoproj.io/")]


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
    return _named(objects, "AppProject", name)


def application_set(objects: Iterable[Object], name: str) -> Object:
    """Return the ApplicationSet of this name."""
    return _named(objects, "ApplicationSet", name)


def _named(objects: Iterable[Object], kind: str, name: str) -> Object:
    (found,) = (one for one in of_kind(objects, kind) if one["metadata"]["name"] == name)
    return found


def generated(objects: list[Object], folders: Iterable[str], of: str) -> dict[str, Object]:
    """Return the Applications that a set makes of a repository with these folders, by name."""
    question = {
        "applicationSet": application_set(objects, of),
        "projects": of_kind(objects, "AppProject"),
        "directories": list(folders),
    }
    applications: list[Object] = ask("generate", question)["applications"]
    named = {one["metadata"]["name"]: one for one in applications}
    assert len(named) == len(applications)
    return named
