"""What the gitops repository wants: the overlays in it, and the images that they deploy. Pure.

Kustomize's `images`: https://kubectl.docs.kubernetes.io/references/kustomize/kustomization/images/.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import yaml


@dataclass(frozen=True, slots=True, kw_only=True)
class Overlay:
    """One service in one environment."""

    service: str
    environment: str

    @property
    def name(self) -> str:
        """The Application's name."""
        return f"{self.service}-{self.environment}"

    @property
    def path(self) -> str:
        """The folder that the Application deploys."""
        return f"services/{self.service}/overlays/{self.environment}"

    @property
    def kustomization(self) -> str:
        """The file that names the images."""
        return f"{self.path}/kustomization.yaml"


@dataclass(frozen=True, slots=True, kw_only=True)
class Manifests:
    """What a kustomization comes to."""

    images: tuple[str, ...] = ()
    error: str = ""
    """Why it cannot be rendered, if so."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Desired:
    """What an overlay wants at one commit."""

    revision: str
    files: frozenset[tuple[str, str]]
    """Path and blob of all that it is made of: the same files are the same manifests."""
    manifests: Manifests


def overlays_in(files: Mapping[str, str]) -> dict[Overlay, frozenset[tuple[str, str]]]:
    """Return every overlay with the files (path, blob) that it is made of, its base included."""
    overlays: dict[Overlay, set[tuple[str, str]]] = {}
    bases: dict[str, set[tuple[str, str]]] = {}
    for path, blob in files.items():
        match path.split("/"):
            case ["services", service, "overlays", environment, _, *_]:
                overlay = Overlay(service=service, environment=environment)
                overlays.setdefault(overlay, set()).add((path, blob))
            case ["services", service, "base", _, *_]:
                bases.setdefault(service, set()).add((path, blob))
            case _:
                continue
    return {
        overlay: frozenset(parts | bases.get(overlay.service, set()))
        for overlay, parts in overlays.items()
        if overlay.kustomization in files
    }


def render(kustomization: bytes) -> Manifests:
    """Return the images of a kustomization as kustomize writes them, or why there are none."""
    try:
        content = yaml.load(kustomization, Loader=yaml.CSafeLoader)
    except yaml.YAMLError as error:
        return Manifests(error=f"invalid Kustomization: {error}")
    images = content.get("images", []) if isinstance(content, dict) else None
    if not isinstance(images, list) or not all(map(_is_image, images)):
        return Manifests(error="invalid Kustomization: images is not as kustomize wants it")
    return Manifests(images=tuple(map(_image, images)))


def _is_image(entry: Any) -> bool:
    """Whether kustomize takes it: a tag that looks like a number is none, unless quoted."""
    if not isinstance(entry, dict) or not entry.get("name"):
        return False
    keys = ("name", "newName", "newTag", "digest")
    return all(isinstance(entry.get(key, ""), str) for key in keys)


def _image(entry: Mapping[str, str]) -> str:
    tag, digest = entry.get("newTag"), entry.get("digest")
    name = entry.get("newName") or entry["name"]
    return f"{name}{f':{tag}' if tag else ''}{f'@{digest}' if digest else ''}"
