"""A YAML file as its text and the nodes that stand in it. Pure; it changes nothing.

YAML 1.1 (https://yaml.org/spec/1.1/) as libyaml reads it. Every walk goes over what was written,
never over what aliases stand for, so an alias bomb costs no more than its bytes.
"""

from collections.abc import Iterator, Mapping, Sequence
from types import MappingProxyType

import yaml

from hub.errors import PermanentError

MAX_BYTES = 256 * 1024
"""A hundred times a large values file. Proving a change in so much takes a second or two."""

MAX_DEPTH = 64
"""Real files go about 20 deep. The C loader recurses: without a bound deep nesting ends it."""

MAX_ALIASES = 1000
"""Far more than people write."""

_BOM = "\N{ZERO WIDTH NO-BREAK SPACE}"


class Source:
    """A YAML file that was read."""

    def __init__(self, octets: bytes, *, path: str) -> None:
        """Parse the file. Raises PermanentError with `path`, the line and the reason."""
        self.path = path
        self.octets = octets
        if len(octets) > MAX_BYTES:
            raise self.refusal(f"larger than {MAX_BYTES // 1024} KiB")
        try:
            text = octets.decode()
        except UnicodeDecodeError as error:
            raise self.refusal("not UTF-8") from error
        self.text = text.removeprefix(_BOM)
        """Without a byte order mark: the C loader's marks would be one off behind it."""
        self.byte_order_mark = text[: len(text) - len(self.text)].encode()
        self.roots = self._compose()

    def refusal(self, reason: str, node: yaml.Node | None = None) -> PermanentError:
        """Return the error that says why this file is left alone, with the line of `node`."""
        return self._refusal(reason, node.start_mark.line if node else None)

    def nodes(self) -> Iterator[yaml.Node]:
        """Visit every node once, in the order of the file."""
        return (node for node, again in walk(self.roots) if not again)

    def _refusal(self, reason: str, line: int | None) -> PermanentError:
        place = self.path if line is None else f"{self.path}, line {line + 1}"
        return PermanentError(f"{place}: {reason}")

    def _compose(self) -> Sequence[yaml.Node]:
        try:
            self._check_shape()
            return tuple(yaml.compose_all(self.text, Loader=yaml.CSafeLoader))
        except yaml.YAMLError as error:
            problem = getattr(error, "problem", None) or "it cannot be read"
            mark = getattr(error, "problem_mark", None)
            raise self._refusal(f"not YAML: {problem}", mark and mark.line) from error

    def _check_shape(self) -> None:
        depth = 0
        aliases = 0
        for event in yaml.parse(self.text, Loader=yaml.CSafeLoader):
            depth += isinstance(event, yaml.CollectionStartEvent)
            depth -= isinstance(event, yaml.CollectionEndEvent)
            aliases += isinstance(event, yaml.AliasEvent)
            line = event.start_mark.line if event.start_mark else None
            if depth > MAX_DEPTH:
                raise self._refusal(f"nested more than {MAX_DEPTH} deep", line)
            if aliases > MAX_ALIASES:
                raise self._refusal(f"more than {MAX_ALIASES} aliases", line)


Additions = Mapping[int, Sequence[yaml.Node]]
"""Nodes that are to follow another one in its mapping, by the `id` of that one."""

_NOTHING: Additions = MappingProxyType({})


def children(node: yaml.Node, added: Additions = _NOTHING) -> Sequence[yaml.Node]:
    """Return what a mapping (keys and values in turn) or a sequence holds; nothing for a scalar."""
    if isinstance(node, yaml.MappingNode):
        return tuple(
            child for key, value in node.value for child in (key, value, *added.get(id(value), ()))
        )
    return tuple(node.value) if isinstance(node, yaml.SequenceNode) else ()


def walk(
    roots: Sequence[yaml.Node], added: Additions = _NOTHING
) -> Iterator[tuple[yaml.Node, bool]]:
    """Visit every place in the order of the file; True where an alias leads to a node again."""
    seen: set[int] = set()
    ahead = list(reversed(roots))
    while ahead:
        node = ahead.pop()
        again = id(node) in seen
        yield node, again
        if not again:
            seen.add(id(node))
            ahead.extend(reversed(children(node, added)))
