"""Parts of a large JSON object, as the bytes that stand there: what nobody asks for is not built.

The objects of Kubernetes are read so. Its API server takes 10,000 levels within each other, and no
reader here goes so far; whoever may write an Application must not keep all others from being read.
So what lies too deep is null.
"""

import re
from collections.abc import Iterable
from typing import TypeVar

from msgspec import MsgspecError, Raw
from msgspec.json import Decoder, encode

from hub.errors import Malformed

T = TypeVar("T")

_MEMBERS = Decoder(dict[str, Raw])
_ELEMENTS = Decoder(list[Raw] | None)

_NULL = b"null"
_LEVELS = 100
"""Far more than anything has that is asked for, and half of what pydantic takes."""

_TOKEN = re.compile(rb'[\[\]{}]|"[^"\\]*(?:\\.[^"\\]*)*"', re.DOTALL)


def members(body: bytes) -> dict[str, bytes]:
    """Return the members of a JSON object by their names. Raises Malformed."""
    return {name: bytes(value) for name, value in _decoded(_MEMBERS, body).items()}


def elements(body: bytes) -> tuple[bytes, ...]:
    """Return the elements of a JSON array; none for null, as Go writes it. Raises Malformed."""
    return tuple(bytes(value) for value in _decoded(_ELEMENTS, body) or ())


def only(body: bytes, paths: Iterable[str]) -> bytes:
    """Return a JSON object of just these fields, such as `metadata.name`, as far as they are there.

    What is null is not there. Raises Malformed.
    """
    wanted: dict[str, list[str]] = {}
    for path in paths:
        name, _, rest = path.partition(".")
        wanted.setdefault(name, []).extend([rest] if rest else [])
    found = _decoded(_MEMBERS, body)
    parts = {name: _part(bytes(found.get(name, _NULL)), rest) for name, rest in wanted.items()}
    return encode({name: Raw(part) for name, part in parts.items() if part != _NULL})


def _part(value: bytes, paths: list[str]) -> bytes:
    if not paths:
        return value
    return only(value, paths) if value.startswith(b"{") else _NULL


def shallow(body: bytes) -> bytes:
    """Return JSON with null for whatever lies deeper than any reader here goes."""
    kept: list[bytes] = []
    level = after = 0
    for token in _TOKEN.finditer(body):
        if token[0] in {b"{", b"["}:
            level += 1
            if level == _LEVELS:
                kept.append(body[after : token.start()])
        elif token[0] in {b"}", b"]"}:
            if level == _LEVELS:
                kept.append(_NULL)
                after = token.end()
            level -= 1
    return b"".join((*kept, body[after:]))


def _decoded(decoder: Decoder[T], body: bytes) -> T:
    try:
        try:
            return decoder.decode(body)
        except RecursionError:
            return decoder.decode(shallow(body))
    except (MsgspecError, RecursionError, UnicodeDecodeError) as error:
        raise Malformed("it is not the JSON that was expected") from error
