"""The files of `argocd/`, and what Argo CD's own code says of them."""

import json
import subprocess
from functools import cache
from pathlib import Path
from typing import Any

from servers.kustomize import kustomize
from servers.place import program

ROOT = Path(__file__).parents[2]
FOLDER = ROOT / "argocd"
_SECONDS = 60.0

Object = dict[str, Any]


@cache
def _built() -> str:
    return json.dumps(kustomize(FOLDER))


def built() -> list[Object]:
    """What `kubectl apply -k` applies, each time anew, so that a test may spoil it."""
    objects: list[Object] = json.loads(_built())
    return objects


def the(kind: str, name: str) -> Object:
    (found,) = [one for one in built() if (one["kind"], one["metadata"]["name"]) == (kind, name)]
    return found


def projects() -> list[Object]:
    return [one for one in built() if one["kind"] == "AppProject"]


def ask(command: str, **question: Any) -> dict[str, Any]:
    """Ask Argo CD's own code. Raises `CalledProcessError` where it cannot answer."""
    asked = subprocess.run(
        [program("argocd-check"), command],
        input=json.dumps(question).encode(),
        capture_output=True,
        timeout=_SECONDS,
        check=True,
    )
    answer: dict[str, Any] = json.loads(asked.stdout)
    return answer
