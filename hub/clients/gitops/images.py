"""Where a file of the gitops repository names an image, and how it names another one. Pure.

Two forms are known, told apart by the file's name:

- a kustomization: the entry of `images` whose `newName`, else `name`, is the image's repository;
  `newTag` and `digest` are set, whichever of them it has
  (https://kubectl.docs.kubernetes.io/references/kustomize/kustomization/images/);
- Helm values, any other name: the mapping anywhere in it whose `repository`, with or without the
  `registry` beside it, is the image's; or the only `image` mapping, where none has a repository.
  `tag` and `digest` are set, whichever of them it has; a tag that is written `tag@digest` stays so.

An entry with neither key gets a tag, on a line of its own under its name. Exactly one place must
fit. What several places could mean, or what a merge key might add, is refused.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import PurePosixPath

import yaml

from hub.actions.gitops import Image
from hub.clients.gitops.yaml_change import Add, Change, Replace, apply
from hub.clients.gitops.yaml_source import Source

_KUSTOMIZATIONS = frozenset({"kustomization.yaml", "kustomization.yml", "Kustomization"})
"""The names that kustomize looks for; it reads no other."""

_MERGE = "tag:yaml.org,2002:merge"


@dataclass(frozen=True, slots=True, kw_only=True)
class _Place:
    """A mapping that names an image."""

    mapping: yaml.MappingNode
    names: tuple[str, ...]
    """The repository, in each way that it may be written; the last one is the fullest."""
    tag_key: str
    naming_key: str
    """The key under which a missing tag is added."""


def write_image(octets: bytes, image: Image, *, path: str) -> bytes:
    """Return the file with the image's tag and digest in it, and every other byte as it was.

    Raises PermanentError, with `path` and the reason, where there is not exactly one place for
    them or where it cannot be changed safely.
    """
    source = Source(octets, path=path)
    place = _place_of(source, image)
    keys = _keys(source, place.mapping)
    tag = _scalar(source, keys, place.tag_key)
    digest = _scalar(source, keys, "digest")
    changes: list[Change] = []
    if tag:
        pinned = "@" in tag.value
        changes.append(Replace(tag, f"{image.tag}@{image.digest}" if pinned else image.tag))
    if digest:
        changes.append(Replace(digest, image.digest))
    return apply(source, changes or [_missing_tag(source, place, image)])


def read_image(octets: bytes, *, service: str, path: str) -> Image | None:
    """Return the image that the file deploys for the service; tag or digest may be empty.

    That is the only image in it, else the only one whose repository ends in the service's name,
    else None. Raises PermanentError where the file cannot be read.
    """
    source = Source(octets, path=path)
    places = _places(source)
    if len(places) > 1:
        places = [one for one in places if one.names and _is_of(one.names[-1], service)]
    if len(places) != 1:
        return None
    keys = _keys(source, places[0].mapping)
    tag, _, pinned = _text(_scalar(source, keys, places[0].tag_key)).partition("@")
    digest = _text(_scalar(source, keys, "digest")) or pinned
    repository = places[0].names[-1] if places[0].names else ""
    return Image(repository=repository, tag=tag, digest=digest)


def _is_of(repository: str, service: str) -> bool:
    return repository.rpartition("/")[2] == service


def _places(source: Source) -> list[_Place]:
    if PurePosixPath(source.path).name in _KUSTOMIZATIONS:
        return list(_kustomize_places(source))
    places = list(_helm_places(source))
    return [one for one in places if one.names] or places


def _place_of(source: Source, image: Image) -> _Place:
    places = _places(source)
    fitting = [one for one in places if image.repository in one.names]
    if len(places) == 1 and not places[0].names:
        fitting = places
    if len(fitting) > 1:
        again = fitting[1].mapping
        raise source.refusal(f"a second place for the image {image.repository}", again)
    if not fitting:
        raise source.refusal(f"no place for the image {image.repository}")
    return fitting[0]


def _kustomize_places(source: Source) -> Iterator[_Place]:
    lists = [value for root in source.roots for key, value in _items(root) if key.value == "images"]
    if len(lists) > 1:
        raise source.refusal("images stands twice", lists[1])
    entries = lists[0].value if lists and isinstance(lists[0], yaml.SequenceNode) else ()
    for entry in entries:
        for naming_key in ("newName", "name"):
            name = _text(_value(entry, naming_key))
            if name:
                yield _Place(mapping=entry, names=(name,), tag_key="newTag", naming_key=naming_key)
                break


def _helm_places(source: Source) -> Iterator[_Place]:
    """Find what has a repository and a tag or digest, and what stands under a key `image`."""
    mappings = [node for node in source.nodes() if isinstance(node, yaml.MappingNode)]
    images = {id(value) for one in mappings for key, value in _items(one) if key.value == "image"}
    for mapping in mappings:
        repository = _text(_value(mapping, "repository"))
        registry = _text(_value(mapping, "registry"))
        pinned = any(_value(mapping, key) for key in ("tag", "digest"))
        if (id(mapping) in images and (repository or pinned)) or (repository and pinned):
            full = f"{registry}/{repository}" if registry else repository
            yield _Place(
                mapping=mapping,
                names=(repository, full) if repository else (),
                tag_key="tag",
                naming_key="repository",
            )


def _missing_tag(source: Source, place: _Place, image: Image) -> Add:
    for key, value in _items(place.mapping):
        if key.value == place.naming_key and isinstance(value, yaml.ScalarNode):
            if place.mapping.flow_style:
                break
            return Add(value, key.start_mark.column, place.tag_key, image.tag)
    raise source.refusal(f"{place.tag_key} is missing and cannot be added", place.mapping)


def _items(node: yaml.Node) -> Iterator[tuple[yaml.ScalarNode, yaml.Node]]:
    if isinstance(node, yaml.MappingNode):
        for key, value in node.value:
            if isinstance(key, yaml.ScalarNode):
                yield key, value


def _keys(source: Source, mapping: yaml.MappingNode) -> dict[str, yaml.Node]:
    keys: dict[str, yaml.Node] = {}
    for key, value in _items(mapping):
        if key.tag == _MERGE:
            raise source.refusal("a merge key may add to the image named here", key)
        if key.value in keys:
            raise source.refusal(f"{key.value} stands twice", key)
        keys[key.value] = value
    return keys


def _value(node: yaml.Node, wanted: str) -> yaml.Node | None:
    return next((value for key, value in _items(node) if key.value == wanted), None)


def _scalar(source: Source, keys: dict[str, yaml.Node], key: str) -> yaml.ScalarNode | None:
    node = keys.get(key)
    if node is None or isinstance(node, yaml.ScalarNode):
        return node
    raise source.refusal(f"{key} is not a plain value", node)


def _text(node: yaml.Node | None) -> str:
    return node.value if isinstance(node, yaml.ScalarNode) else ""
