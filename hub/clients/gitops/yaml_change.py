"""Changes scalars of a YAML file and not one other byte of it. Pure; knows nothing of images.

No YAML writer keeps comments, anchors, quotes and line ends as they were, so none is used: the
parser's marks tell where a scalar stands, its bytes are replaced, and the result is parsed again
to prove that the intended scalars changed and nothing else did. What cannot be done so is refused.
"""

import re
from collections.abc import Collection, Sequence
from dataclasses import dataclass

import yaml

from hub.clients.gitops.yaml_source import Source, children, walk
from hub.errors import PermanentError

_STRING = "tag:yaml.org,2002:str"
_LINE_BREAK = re.compile("\r\n|[\r\n\x85\u2028\u2029]")
_PROPERTIES = re.compile(r"(?:[&!]\S*\s+)*")
_REST_OF_LINE = re.compile("[ \t]*(?:#[^\r\n\x85\u2028\u2029]*)?")
_ONE_LINE_STYLES = {None, "", "'", '"'}

_OTHER_THAN_STRING = re.compile(
    r"""
      [-+]?[0-9][0-9_]*                                            # integers, 0123 among them
    | [-+]?0 (?: x[0-9a-f_]+ | o[0-7_]+ | b[01_]+ )
    | [-+]?[0-9][0-9_]* (?: :[0-5]?[0-9] )+ (?: \.[0-9_]* )?       # sexagesimal, 12:30
    | [-+]? (?: \.[0-9_]+ | [0-9][0-9_]*(?:\.[0-9_]*)? ) (?: e[-+]?[0-9]+ )?
    | [-+]?\.inf | \.nan
    | [0-9]{4}-[0-9]{1,2}-[0-9]{1,2} (?: [t\ \t].* )?              # dates and times
    | y | yes | n | no | true | false | on | off | null | ~ | = | <<
    |                                                              # nothing at all
    """,
    re.VERBOSE | re.IGNORECASE,
)
"""What some reader takes for more than text when it is not quoted: the union of YAML 1.1, YAML 1.2
and go-yaml, with which kustomize and Helm will read what libyaml proved here."""

_Outline = list[tuple[str, str | int]]


@dataclass(frozen=True, slots=True)
class Replace:
    """Give this scalar another value."""

    node: yaml.ScalarNode
    value: str


@dataclass(frozen=True, slots=True)
class Add:
    """Add a key on a line of its own, under the line that ends with the scalar `under`."""

    under: yaml.ScalarNode
    """The value of a key of the same mapping."""
    column: int
    """Where the keys of that mapping begin, from 0."""
    key: str
    value: str


Change = Replace | Add


def apply(source: Source, changes: Sequence[Change]) -> bytes:
    """Return the file with these changes and every other byte as it was.

    A scalar that has its value already is no change. Raises PermanentError, with path and line,
    where a change cannot be made within a line or cannot be proved to touch nothing else.
    """
    wanted = [change for change in changes if not _is_so(change)]
    if not wanted:
        return source.octets
    aliased = {id(node) for node, again in walk(source.roots) if again}
    for change in wanted:
        _check(source, change, aliased)
    expected = _outline(source.roots, wanted)
    for quote in (False, True):
        octets = source.byte_order_mark + _spliced(source, wanted, quote=quote).encode()
        if _outline_of(octets, source.path) == expected:
            return octets
    raise source.refusal("the change cannot be proved to touch nothing else")


def _check(source: Source, change: Change, aliased: Collection[int]) -> None:
    node = change.node if isinstance(change, Replace) else change.under
    if id(node) in aliased:
        raise source.refusal("an alias shares this value with another place", node)
    if node.style not in _ONE_LINE_STYLES:
        raise source.refusal("a block scalar", node)
    if not change.value.isprintable():
        raise source.refusal("the new value holds control characters", node)


def _is_so(change: Change) -> bool:
    if isinstance(change, Add):
        return False
    node = change.node
    misread = not node.style and _OTHER_THAN_STRING.fullmatch(node.value)
    return node.value == change.value and node.tag == _STRING and not misread


def _spliced(source: Source, changes: Sequence[Change], *, quote: bool) -> str:
    parts = []
    done = 0
    for start, end, written in sorted(_splice(source, one, quote=quote) for one in changes):
        parts += [source.text[done:start], written]
        done = end
    return "".join([*parts, source.text[done:]])


def _splice(source: Source, change: Change, *, quote: bool) -> tuple[int, int, str]:
    if isinstance(change, Add):
        return _line_under(source, change, quote=quote)
    start, end = _span(source, change.node)
    written = _written(change.value, change.node.style, quote=quote)
    # A key without a value ends at its colon.
    gap = "" if start < end or source.text[:start].endswith((" ", "\t")) else " "
    return start, end, gap + written


def _span(source: Source, node: yaml.ScalarNode) -> tuple[int, int]:
    """Return where the scalar itself stands, behind its anchor and tag."""
    properties = _PROPERTIES.match(source.text, node.start_mark.index)
    end = node.end_mark.index
    # An anchor before nothing: what follows it belongs to the next node.
    start = min(properties.end() if properties else end, end)
    written = source.text[start:end]
    whole = written == node.value
    if node.style:
        whole = len(written) > 1 and written[0] == written[-1] == node.style
    if not whole or _LINE_BREAK.search(written):
        raise source.refusal("the value goes over several lines", node)
    return start, end


def _line_under(source: Source, add: Add, *, quote: bool) -> tuple[int, int, str]:
    _, end = _span(source, add.under)
    rest = _REST_OF_LINE.match(source.text, end)
    place = rest.end() if rest else end
    line_break = _LINE_BREAK.match(source.text, place)
    if line_break is None and place < len(source.text):
        raise source.refusal(f"{add.key} is missing and finds no line of its own", add.under)
    sample = line_break or _LINE_BREAK.search(source.text)
    begin = (sample.group() if sample else "\n") + " " * add.column
    return place, place, f"{begin}{add.key}: {_written(add.value, None, quote=quote)}"


def _written(value: str, style: str | None, *, quote: bool) -> str:
    if style == "'":
        return "'" + value.replace("'", "''") + "'"
    if style == '"' or quote or _OTHER_THAN_STRING.fullmatch(value):
        return '"' + value.replace("\\", "\\\\").replace('"', '\\"') + '"'
    return value


def _outline_of(octets: bytes, path: str) -> _Outline | None:
    try:
        return _outline(Source(octets, path=path).roots, [])
    except PermanentError:
        return None


def _outline(roots: Sequence[yaml.Node], changes: Sequence[Change]) -> _Outline:
    """Return the shape, tags and values of what was parsed, as the changes should leave it."""
    values = {id(one.node): one.value for one in changes if isinstance(one, Replace)}
    added = {
        id(one.under): (yaml.ScalarNode(_STRING, one.key), yaml.ScalarNode(_STRING, one.value))
        for one in changes
        if isinstance(one, Add)
    }
    numbers: dict[int, int] = {}
    outline: _Outline = [("documents", len(roots))]
    for node, again in walk(roots, added):
        if again:
            outline.append(("alias", numbers[id(node)]))
            continue
        numbers[id(node)] = len(numbers)
        if id(node) in values:
            outline.append((_STRING, values[id(node)]))
        elif isinstance(node, yaml.ScalarNode):
            outline.append((node.tag, node.value))
        else:
            outline.append((node.tag, len(children(node, added))))
    return outline
