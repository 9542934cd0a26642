"""A YAML file as plain values, with the line that each of them stands on.

YAML by itself forgives too much for a file that decides who may come in: here a key that stands
twice, a tag, and a document that grows through its aliases are mistakes. It never says what a value
is good for; `hub/settings.py` does.
"""

from dataclasses import dataclass, field
from datetime import UTC, date, datetime
from typing import Any

import yaml

Place = tuple[str | int, ...]
"""The keys and indexes that lead to a value; `()` is the whole document."""

MAX_DEPTH = 32
"""The settings go six deep. The C loader recurses, and without a bound deep nesting ends it."""

MAX_NODES = 20_000
"""Counted with aliases followed: a kilobyte of aliases to aliases can stand for a billion nodes."""


@dataclass(frozen=True, slots=True)
class YamlMistake:
    """What cannot be read: at which place and line (from 1; None where YAML does not say)."""

    place: Place
    line: int | None
    text: str


@dataclass(slots=True)
class YamlDocument:
    """What could be read of a document. Keys are text as written, so `on` and `1.2` stay words."""

    content: Any = None
    lines: dict[Place, int] = field(default_factory=dict)
    mistakes: list[YamlMistake] = field(default_factory=list)


class _Refused(Exception):
    """The rest of the document is not worth reading."""

    def __init__(self, text: str, line: int) -> None:
        super().__init__(text)
        self.mistake = YamlMistake((), line, text)


def read_yaml(text: str) -> YamlDocument:
    """Read one document. What is wrong with it stands in its `mistakes`; nothing is raised."""
    document = YamlDocument()
    try:
        _check_depth(text)
        loader = yaml.CSafeLoader(text)
        try:
            node = loader.get_single_node()
            if node is not None:
                document.content = _Composition(loader, document).value(node, ())
        finally:
            loader.dispose()
    except _Refused as refused:
        document.mistakes.append(refused.mistake)
    except yaml.YAMLError as error:
        document.mistakes.append(_syntax_mistake(error))
    return document


def _check_depth(text: str) -> None:
    depth = 0
    for event in yaml.parse(text, Loader=yaml.CSafeLoader):
        if isinstance(event, yaml.CollectionStartEvent):
            depth += 1
        elif isinstance(event, yaml.CollectionEndEvent):
            depth -= 1
        if depth > MAX_DEPTH:
            raise _Refused(f"is nested more than {MAX_DEPTH} deep", _line(event))


def _syntax_mistake(error: yaml.YAMLError) -> YamlMistake:
    mark = getattr(error, "problem_mark", None)
    problem = getattr(error, "problem", None) or getattr(error, "reason", None) or "cannot be read"
    return YamlMistake((), mark and mark.line + 1, f"not YAML: {problem}")


class _Composition:
    """Turns nodes into values and notes their lines."""

    def __init__(self, loader: yaml.CSafeLoader, document: YamlDocument) -> None:
        self._loader = loader
        self._document = document
        self._nodes = 0

    def value(self, node: yaml.Node, place: Place) -> Any:
        line = _line(node)
        self._document.lines.setdefault(place, line)
        self._nodes += 1
        # An alias to what it stands in is as deep as one likes without any bracket.
        if self._nodes > MAX_NODES or len(place) > MAX_DEPTH:
            raise _Refused("grows too large through its aliases", line)
        match node:
            case yaml.MappingNode(tag="tag:yaml.org,2002:map"):
                return self._mapping(node, place)
            case yaml.SequenceNode(tag="tag:yaml.org,2002:seq"):
                return [self.value(item, (*place, index)) for index, item in enumerate(node.value)]
            case yaml.ScalarNode():
                return self._scalar(node, place)
            case _:
                self._mistake(place, line, f"has the tag {node.tag}, which means nothing here")
                return None

    def _mapping(self, node: yaml.MappingNode, place: Place) -> dict[str, Any]:
        mapping: dict[str, Any] = {}
        for key, item in node.value:
            line = _line(key)
            if not isinstance(key, yaml.ScalarNode):
                self._mistake(place, line, "has a key that is not a word")
                continue
            inner = (*place, key.value)
            if key.value in mapping:
                self._mistake(inner, line, f"is set already in line {self._document.lines[inner]}")
                continue
            self._document.lines[inner] = line
            mapping[key.value] = self.value(item, inner)
        return mapping

    def _scalar(self, node: yaml.ScalarNode, place: Place) -> Any:
        try:
            return _in_utc(self._loader.construct_object(node))
        except (yaml.YAMLError, ValueError, OverflowError):
            # Such as the 31st of February, or a tag that nobody knows.
            self._mistake(place, _line(node), "is not a value that YAML can read")
            return None

    def _mistake(self, place: Place, line: int, text: str) -> None:
        self._document.mistakes.append(YamlMistake(place, line, text))


def _line(part: yaml.Node | yaml.Event) -> int:
    mark = part.start_mark
    return mark.line + 1 if mark is not None else 1


def _in_utc(value: object) -> object:
    """Give a time without a zone the one that YAML means: https://yaml.org/type/timestamp.html."""
    if isinstance(value, datetime):
        return value if value.tzinfo else value.replace(tzinfo=UTC)
    if isinstance(value, date):
        return datetime(value.year, value.month, value.day, tzinfo=UTC)
    return value
