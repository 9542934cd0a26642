"""The members of a JSON object as the bytes that stand there: nothing is built, all is checked.

A quick look settles nearly every body, in a fifth of the time of reading it: GitHub writes JSON
without spaces, so the members' lengths add up to the body's, and no byte is left for another member
of the same name. Whatever is not evidently sound is read again by `hub.events.strict_json`, which
decides. So the quick look may hesitate, but never lets pass what the other one would not.
"""

import re
from collections.abc import Mapping
from typing import TypeVar

from msgspec import MsgspecError, Raw
from msgspec.json import Decoder
from pydantic import BaseModel

from hub.errors import Malformed
from hub.events.strict_json import MAX_MEMBERS, Members

T = TypeVar("T")


class _Anything(BaseModel):
    """Whatever an object holds."""


_THOROUGH = Members(_Anything)
_MEMBERS = Decoder(dict[str, Raw])
_ELEMENTS = Decoder(list[Raw])

_LEVELS = 190
"""Of objects and arrays within a member of a member: every reader here takes 200 in all."""

_MOST_BYTES = 32 * 1024
"""Of a value whose brackets are worth counting: a larger one has too many of them."""

_SAMPLES_APART = 256
_MANY_DIGITS = re.compile(rb"[0-9]{16}")
"""In a sample of the bytes: a number of 4,300 digits, which readers refuse, cannot hide from it."""


def raw_members(body: bytes) -> Mapping[str, Raw]:
    """Return the members of a JSON object by their names.

    Raises Malformed where the body is not one, where a member comes twice, and where there are too
    many of them.
    """
    try:
        members = _MEMBERS.decode(body)
        sound = _accounts_for_all(members, body) and _is_plain(body) and _are_shallow(members)
    except (MsgspecError, RecursionError, UnicodeDecodeError) as error:
        _THOROUGH.read(body)
        raise Malformed("the body is not a JSON object") from error
    if not sound:
        _THOROUGH.read(body)
    return members


def _accounts_for_all(members: Mapping[str, Raw], body: bytes) -> bool:
    """Whether the members and what must stand between them fill the body.

    A space, an escape in a name or a member that came twice makes the body longer than that.
    """
    between = 4 * len(members) + 1
    filled = sum(map(len, members)) + sum(map(len, members.values()))
    return filled + between == len(body) and len(members) <= MAX_MEMBERS


def _is_plain(body: bytes) -> bool:
    """Whether no text and no number in it is one that some readers take and others do not."""
    if not body.isascii():
        body.decode()
    return not _MANY_DIGITS.search(body[::_SAMPLES_APART])


def _are_shallow(members: Mapping[str, Raw]) -> bool:
    """Whether nothing lies deeper in them than every reader goes.

    Each level takes two bytes, and an opening bracket. What is large by its many elements, such as
    the commits of a push, is looked at element by element.
    """
    return all(
        _is_shallow(bytes(value)) or _has_shallow_elements(value)
        for value in members.values()
        if len(value) > 2 * _LEVELS
    )


def _is_shallow(value: bytes) -> bool:
    return len(value) < _MOST_BYTES and value.count(b"{") + value.count(b"[") <= _LEVELS


def _has_shallow_elements(value: Raw) -> bool:
    if bytes(value)[:1] != b"[":
        return False
    return all(
        _is_shallow(bytes(element))
        for element in _ELEMENTS.decode(value)
        if len(element) > 2 * _LEVELS
    )
