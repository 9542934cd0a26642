"""What other projects' image updaters are tested with, and bumps that people really made.

Two checks speak of less than the whole operation. `KZ-SET` also renames images and makes files from
nothing, and `IU-HELM` makes keys for a path that the user gives: a bump does neither. Its cases are
held against what changes the value of a scalar, or adds one to a mapping that is there.
"""

import json
from collections.abc import Iterator
from functools import cache
from pathlib import Path
from typing import Any

import pytest
import yaml

from hub.actions.gitops import Image
from hub.clients.gitops.images import write_image
from hub.clients.gitops.yaml_change import Add, Change, Replace, apply
from hub.clients.gitops.yaml_source import Source
from hub.errors import PermanentError

DATA = Path(__file__).parent.parent / "data" / "gitops"
DIGEST = f"sha256:{'1' * 64}"

NO_SCALAR_CHANGED = {"010-infra-deployments", "145-infra-deployments"}
"""These took blanks from the end of a line."""

REQUOTED = {"128-plumbing"}
"""Here the author has also changed the quotes."""

TEMPLATES = {"129-podinfo"}
"""A Helm template: not YAML before it is rendered."""

REPLACED_DIGEST = {"013-infra-deployments"}
"""Its author put a tag in the digest's place; a bump sets the digest that is there."""

IN_TEXT = {
    *("001", "003", "004", "006", "007", "012", "019", "020", "026", "032", "033", "035"),
    *("042", "044", "045", "104"),
}
"""The image stands in a patch, or in a program, that the file holds as a text of several lines."""


def cases(name: str) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = json.loads((DATA / name / "cases.json").read_text())
    assert found
    return found


@cache
def index() -> dict[str, dict[str, Any]]:
    """Where each of the real bumps comes from and which lines it changed, by its folder."""
    listed = json.loads((DATA / "real-bumps" / "index.json").read_text())
    return {one["dir"]: one for one in listed}


@cache
def bumps() -> dict[str, str]:
    """The path that each of the real bumps changed, by its folder."""
    return {name: one["source"].partition(":")[2] for name, one in index().items()}


def before_and_after(bump: str) -> tuple[bytes, bytes]:
    folder = DATA / "real-bumps" / bump
    return (folder / "before.yaml").read_bytes(), (folder / "after.yaml").read_bytes()


def intended(source: Source, after: bytes) -> list[Change]:
    """The scalars that differ from those of the file as it became."""
    pairs = zip(source.nodes(), Source(after, path="after").nodes(), strict=True)
    return [
        Replace(old, new.value)
        for old, new in pairs
        if isinstance(old, yaml.ScalarNode) and (old.tag, old.value) != (new.tag, new.value)
    ]


def change(octets: bytes, after: bytes) -> bytes:
    source = Source(octets, path="file.yaml")
    return apply(source, intended(source, after))


IN_SCALARS = sorted(
    name
    for name in bumps()
    if name not in NO_SCALAR_CHANGED | REQUOTED | TEMPLATES and name[:3] not in IN_TEXT
)


def test_every_real_bump_is_accounted_for() -> None:
    assert len(bumps()) == 77
    assert len(IN_SCALARS) == 77 - 2 - 1 - 1 - 16


@pytest.mark.parametrize("bump", IN_SCALARS)
def test_a_real_bump_of_scalars_comes_out_as_its_author_made_it(bump: str) -> None:
    before, after = before_and_after(bump)
    changed = change(before, after)
    assert changed == after
    assert change(after, after) == after
    pairs = zip(before.decode().split("\n"), changed.decode().split("\n"), strict=True)
    lines = [number for number, (old, new) in enumerate(pairs, start=1) if old != new]
    assert lines == [one["line"] for one in index()[bump]["changed_lines"]]


@pytest.mark.parametrize("bump", sorted(REQUOTED))
def test_a_bump_that_also_changed_the_quotes_keeps_the_old_ones(bump: str) -> None:
    before, after = before_and_after(bump)
    changed = change(before, after)
    assert yaml.safe_load(changed) == yaml.safe_load(after)


@pytest.mark.parametrize("bump", sorted(name for name in bumps() if name[:3] in IN_TEXT))
def test_an_image_within_a_text_of_several_lines_is_refused(bump: str) -> None:
    before, after = before_and_after(bump)
    with pytest.raises(PermanentError, match=r"file\.yaml, line \d+: a block scalar"):
        change(before, after)


@pytest.mark.parametrize("bump", sorted(TEMPLATES))
def test_a_template_is_refused(bump: str) -> None:
    with pytest.raises(PermanentError, match="not YAML"):
        change(*before_and_after(bump))


def images_in(octets: bytes, path: str) -> Iterator[Image]:
    """Every image, found by loading the file whole."""
    for document in yaml.safe_load_all(octets):
        if path.endswith("kustomization.yaml"):
            for entry in document.get("images", []):
                yield Image(
                    repository=entry.get("newName") or entry["name"],
                    tag=entry.get("newTag", ""),
                    digest=entry.get("digest", ""),
                )
        else:
            yield from _helm_images(document)


def _helm_images(value: object) -> Iterator[Image]:
    match value:
        case {"repository": str(repository), "tag": str(written)}:
            tag, _, digest = written.partition("@")
            yield Image(repository=repository, tag=tag, digest=digest)
        case dict():
            for inner in value.values():
                yield from _helm_images(inner)
        case list():
            for inner in value:
                yield from _helm_images(inner)


def image_bumps() -> list[str]:
    """The real bumps that gave images of a kustomization or of values another tag or digest."""
    found = []
    for bump in sorted(set(IN_SCALARS) - REPLACED_DIGEST):
        before, after = (set(images_in(one, bumps()[bump])) for one in before_and_after(bump))
        names = [{image.repository for image in images} for images in (before, after)]
        if before != after and names[0] == names[1]:
            found.append(bump)
    return found


def test_most_real_bumps_of_kustomizations_and_values_are_image_bumps() -> None:
    assert len(image_bumps()) > 30


@pytest.mark.parametrize("bump", image_bumps())
def test_a_real_image_bump_is_made_from_repository_tag_and_digest(bump: str) -> None:
    before, after = before_and_after(bump)
    path = bumps()[bump]
    octets = before
    for image in set(images_in(after, path)) - set(images_in(before, path)):
        octets = write_image(octets, image, path=path)
        assert write_image(octets, image, path=path) == octets
    assert octets == after


@pytest.mark.parametrize(
    "case",
    # The one error there is about a path on disk.
    [case for case in cases("image-updater-kustomize") if not case["error"]],
    ids=lambda case: case["id"],
)
def test_argo_cd_image_updater_s_kustomizations(case: dict[str, Any]) -> None:
    image = Image(repository=case["image"], tag="", digest=case["digest"])
    changed = write_image(case["input"].encode(), image, path="kustomization.yaml")
    assert changed == case["expected"].encode()


def at_path(source: Source, keys: list[str]) -> tuple[yaml.Node, list[str]]:
    """Follow keys and `name[index]`; return where they lead, and those that lead nowhere."""
    node = source.roots[0]
    for place, key in enumerate(keys):
        name, _, index = key.partition("[")
        items = node.value if isinstance(node, yaml.MappingNode) else []
        found = [value for inner, value in items if inner.value == name]
        if not found:
            return node, keys[place:]
        node = found[0].value[int(index.rstrip("]"))] if index else found[0]
    return node, []


@pytest.mark.parametrize(
    "case",
    [case for case in cases("image-updater-helm") if not case["error"] and case["input"] != "{}"],
    ids=lambda case: case["id"],
)
def test_argo_cd_image_updater_s_helm_values(case: dict[str, Any]) -> None:
    source = Source(case["input"].encode(), path="values.yaml")
    node, missing = at_path(source, case["key"].split("."))
    if missing:
        assert isinstance(node, yaml.MappingNode)
        key, value = node.value[-1]
        changes: list[Change] = [Add(value, key.start_mark.column, missing[0], case["value"])]
    else:
        assert isinstance(node, yaml.ScalarNode)
        changes = [Replace(node, case["value"])]
    assert apply(source, changes).decode().strip() == case["expected"].strip()


@pytest.mark.parametrize("case", cases("kustomize-set-image"), ids=lambda case: case["id"])
def test_kustomize_s_tags_are_read_back_as_the_text_they_are(case: dict[str, Any]) -> None:
    expected = yaml.safe_load("\n".join(case["expected_lines"] or ["images: []"]))
    pinned = [one for one in expected["images"] if "newTag" in one]
    for entry in pinned:
        name = entry.get("newName", entry["name"])
        text = f"images:\n- name: {entry['name']}\n  newName: {name}\n  newTag: old\n"
        image = Image(repository=name, tag=entry["newTag"], digest=DIGEST)
        changed = write_image(text.encode(), image, path="kustomization.yaml")
        (written,) = yaml.safe_load(changed)["images"]
        assert written == {"name": entry["name"], "newName": name, "newTag": entry["newTag"]}
        quoted = f'newTag: "{entry["newTag"]}"' in changed.decode()
        assert quoted == (f'  newTag: "{entry["newTag"]}"' in case["expected_lines"])


@pytest.mark.parametrize(
    ("original", "expected"),
    [
        *(
            (f"{step}/original/{name}", f"{step}/expected/{name}")
            for step in ("replace", "leave")
            for name in ("cronjob.yaml", "deployment.yaml")
        ),
        ("replace/commented/deployment.yaml", "replace/commented-expected/deployment.yaml"),
    ],
)
def test_flux_s_images_change_without_the_file_being_written_anew(
    original: str, expected: str
) -> None:
    before = (DATA / "flux-update" / original).read_bytes()
    after = (DATA / "flux-update" / expected).read_bytes()
    changed = change(before, after)
    assert list(yaml.safe_load_all(changed)) == list(yaml.safe_load_all(after))
    assert changed == before.replace(b"used:v1.0.0", b"used:v1.1.0")


def at_rest() -> list[Path]:
    return sorted((DATA / "at-rest").rglob("*.yaml"))


@pytest.mark.parametrize("file", at_rest(), ids=lambda file: file.name)
def test_writing_the_image_that_is_there_changes_nothing(file: Path) -> None:
    octets = file.read_bytes()
    source = Source(octets, path=file.name)
    scalars = [node for node in source.nodes() if isinstance(node, yaml.ScalarNode)]
    strings = [node for node in scalars if node.tag.endswith(":str") and node.style != "|"]
    assert apply(source, [Replace(node, node.value) for node in strings]) == octets
    path = "kustomization.yaml" if "kustomization" in file.name else "values.yaml"
    for image in images_in(octets, path):
        if image.tag or image.digest:
            assert write_image(octets, image, path=path) == octets
