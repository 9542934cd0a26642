"""The example of a gitops repository, as Argo CD sees it and as it deploys it."""

import shutil
import subprocess
from pathlib import Path
from typing import Any

from argocd_files import ROOT, built, generated
from servers import kustomize
from servers.place import program

FOLDER = ROOT / "examples" / "gitops"
ENVIRONMENTS = ("dev", "staging", "production")

_SECONDS = 60.0

Object = dict[str, Any]


def files(folder: Path = FOLDER) -> dict[str, str]:
    """Return every file by its path in the repository."""
    return {
        str(file.relative_to(folder)): file.read_text()
        for file in sorted(folder.rglob("*"))
        if file.is_file()
    }


def folders() -> list[str]:
    return [str(one.relative_to(FOLDER)) for one in sorted(FOLDER.rglob("*")) if one.is_dir()]


def applications(of: str) -> dict[str, Object]:
    """Return the Applications that a set makes of the repository, by name."""
    return generated(built(), folders(), of)


def deployed(application: Object, scratch: Path, *, tree: Path = FOLDER) -> list[Object]:
    """Return what an Application deploys, built as Argo CD builds it: in the namespace it says."""
    place = scratch / application["metadata"]["name"]
    shutil.copytree(tree, place)
    source = application["spec"]["source"]
    folder = place / source["path"]
    subprocess.run(
        [program("kustomize"), "edit", "set", "namespace", "--", source["kustomize"]["namespace"]],
        cwd=folder,
        timeout=_SECONDS,
        check=True,
    )
    return kustomize.kustomize(folder)


def the(objects: list[Object], kind: str) -> Object:
    (found,) = (one for one in objects if one["kind"] == kind)
    return found


def image(objects: list[Object]) -> str:
    """Return the image that the Deployment runs."""
    (container,) = the(objects, "Deployment")["spec"]["template"]["spec"]["containers"]
    return str(container["image"])
