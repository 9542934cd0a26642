"""Builds folders of manifests with the real kustomize, as `kubectl apply -k` would."""

import subprocess
from pathlib import Path
from typing import Any

import yaml

from .place import program

_SECONDS = 60.0


class KustomizeFailedError(Exception):
    """A folder cannot be built; carries kustomize's own words."""


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
