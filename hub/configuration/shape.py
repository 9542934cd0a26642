"""Walks over the tree of the settings: what may stand where, and what of it are paths and secrets.

It reads the shape off the models in `hub/settings.py`, so that a new setting needs no word here.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeVar, get_args, get_origin

from hub.configuration.yaml_document import Place
from hub.settings import Branch, Key, Secret

B = TypeVar("B", bound=Branch)


@dataclass(frozen=True, slots=True)
class Leaf:
    """A setting that has a value of its own. `place` leads to it from the root."""

    place: Place
    plural: bool
    """Whether the value is a list or a mapping."""


def leaves(branch: type[Branch], place: Place = ()) -> Iterator[Leaf]:
    """Yield every setting of a branch."""
    for name, field in branch.model_fields.items():
        inner = _branch_of(field.annotation)
        plural = get_origin(field.annotation) in (tuple, dict)
        if inner is None or plural:
            yield Leaf((*place, name), plural)
        else:
            yield from leaves(inner, (*place, name))


@dataclass(frozen=True, slots=True)
class WrittenSecret:
    """What stands where a secret is asked for, as it was written."""

    place: Place
    content: object
    of_key: bool
    """Whether it is the secret of a key in a ring."""


def written_secrets(
    branch: type[Branch], content: Any, place: Place = ()
) -> Iterator[WrittenSecret]:
    """Yield what `content`, which may be wrong in any way, has where a branch asks for secrets."""
    if isinstance(content, list):
        for index, item in enumerate(content):
            yield from written_secrets(branch, item, (*place, index))
    elif isinstance(content, dict):
        for name, field in branch.model_fields.items():
            inner = _branch_of(field.annotation)
            if inner is Secret and name in content:
                yield WrittenSecret((*place, name), content[name], branch is Key)
            elif inner is not None and name in content:
                yield from written_secrets(inner, content[name], (*place, name))


def texts(content: object, place: Place = ()) -> Iterator[tuple[Place, str]]:
    """Yield every text in `content`, keys too, with the place it stands at."""
    if isinstance(content, str):
        yield place, content
    elif isinstance(content, list):
        for index, item in enumerate(content):
            yield from texts(item, (*place, index))
    elif isinstance(content, dict):
        for name, item in content.items():
            yield (*place, name), name
            yield from texts(item, (*place, name))


def dotted(place: Place) -> str:
    """Write a place as people do: `receiver.github.keys[0].id`."""
    return "".join(f"[{part}]" if isinstance(part, int) else f".{part}" for part in place)[1:]


def anchored(branch: B, base: Path) -> B:
    """Return the branch with every relative path in it starting at `base`."""
    return branch.model_copy(update={name: _anchored(value, base) for name, value in branch})


def _anchored(value: object, base: Path) -> object:
    match value:
        case Path():
            return base / value
        case Branch():
            return anchored(value, base)
        case tuple():
            return tuple(_anchored(item, base) for item in value)
        case _:
            return value


def _branch_of(annotation: object) -> type[Branch] | None:
    """Return the branch in an annotation such as `Door`, `Secret | None` or `tuple[Key, ...]`."""
    if isinstance(annotation, type) and issubclass(annotation, Branch):
        return annotation
    return next(filter(None, map(_branch_of, get_args(annotation))), None)
