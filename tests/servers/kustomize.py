"""Builds folders of manifests with the real kustomize, as `kubectl apply -k` would."""

import json
import subprocess
from functools import cache
from pathlib import Path
from typing import Any

import yaml

from .place import program

_SECONDS = 60.0


class KustomizeFailedError(Exception):
    """A folder cannot be built; carries kustomize's own words."""


def built(folder: Path) -> list[dict[str, Any]]:
    """Return what `kustomize` does: built once, and anew each time, so that a test may spoil it."""
    objects: list[dict[str, Any]] = json.loads(_as_json(folder))
    return objects


@cache
def _as_json(folder: Path) -> str:
    return json.dumps(kustomize(folder))


def kustomize(folder: Path) -> list[dict[str, Any]]:
    """Return the objects that a folder builds to, in order. Raises `KustomizeFailedError`."""
    done = subprocess.run(
        [program("kustomize"), "build", folder],
        capture_output=True,
        text=True,
        timeout=_SECONDS,
        check=False,
    )
    if done.returncode != 0:
        raise KustomizeFailedError(done.stderr)
    return [one for one in yaml.load_all(done.stdout, yaml.CSafeLoader) if one]
