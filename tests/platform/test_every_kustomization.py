"""Every folder that says it can be built, can be, and makes each object once."""

from collections import Counter
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import yaml
from servers.kustomize import KustomizeFailedError

ROOT = Path(__file__).parents[2]
FOLDERS = sorted(
    file.parent
    for part in ("argocd", "crossplane", "k8s", "external-secrets", "tekton")
    for file in (ROOT / part).rglob("kustomization.yaml")
    if yaml.safe_load(file.read_text()).get("kind") != "Component"
)

Build = Callable[[Path], list[dict[str, Any]]]


@pytest.mark.parametrize("folder", FOLDERS, ids=lambda one: str(one.relative_to(ROOT)))
def test_a_folder_can_be_built(folder: Path, kustomize_build: Build) -> None:
    named = Counter(
        (one["apiVersion"], one["kind"], metadata.get("namespace"), metadata["name"])
        for one in kustomize_build(folder)
        for metadata in [one["metadata"]]
    )
    assert named
    assert max(named.values()) == 1


def test_a_folder_that_names_what_is_not_there_cannot_be(
    tmp_path: Path, kustomize_build: Build
) -> None:
    (tmp_path / "kustomization.yaml").write_text("resources: [gone.yaml]\n")
    with pytest.raises(KustomizeFailedError, match=r"gone\.yaml"):
        kustomize_build(tmp_path)
