"""JSON from outside, read without mercy.

Python's own reader overflows on deep nesting, accepts NaN, and keeps the last of two members with
the same name. Here each of these is Malformed, as are numbers of thousands of digits, lone
surrogates, bytes that are not UTF-8 and byte order marks. So no input raises anything else.

The grammar is https://www.rfc-editor.org/rfc/rfc8259.
"""

import json
import re
from collections.abc import Iterable
from typing import Annotated, Any, TypeVar

from pydantic import AfterValidator, BaseModel, Field, TypeAdapter, ValidationError, ValidationInfo
from pydantic_core import from_json

from hub.errors import Malformed

M = TypeVar("M", bound=BaseModel)

_MAX_PLACES = 5
"""How many mistakes one answer names: enough to mend them, too few to make the answer long."""

_LARGE_BYTES = 32 * 1024
"""Above this, reading all names of an object costs more than everything else that is done to it."""

_SPACE = re.compile(r"[ \t\n\r]*")
_DECODER = json.JSONDecoder()

_ESCAPED_NAME = re.compile(rb'\\u[0-9A-Fa-f]{4}(?:\w|\\u[0-9A-Fa-f]{4})*"[ \t\n\r]*:')
"""The end of a member's name with an escape in it: such a name cannot be looked for as bytes."""


def _note(name: str, info: ValidationInfo[list[str]]) -> str:
    if info.context is not None:
        info.context.append(name)
    return name


class _Unread(BaseModel):
    """An object of which nothing is built."""


_Value = Annotated[_Unread | list[_Unread] | Any, Field(union_mode="left_to_right")]
_NAMES = TypeAdapter(dict[Annotated[str, AfterValidator(_note)], _Value])
"""The members of an object; in its context every name is noted, also one that comes twice."""


def check(body: bytes) -> None:
    """Raise Malformed unless the body is JSON."""
    try:
        from_json(body, allow_inf_nan=False, cache_strings="none")
    except ValueError as error:
        raise Malformed(f"the body is not valid JSON: {error}") from error


def read(shape: type[M], body: bytes) -> M:
    """Read a JSON body as a model. Raises Malformed, naming the fields and not their values."""
    check(body)
    try:
        return shape.model_validate_json(body)
    except ValidationError as error:
        raise Malformed(f"the body cannot be used: {_places(error)}") from error


def read_named(shape: type[M], body: bytes, names: Iterable[bytes]) -> M:
    """Read just what a model asks for of a JSON object, without building the rest.

    No member may come twice. Of a large body only those called one of `names` are looked for, by
    their bytes: that settles it for nearly every one, and reading all names would build them all.

    Raises Malformed where the body is not a JSON object that the model can be read from.
    """
    try:
        found = shape.model_validate_json(body)
    except ValidationError as error:
        raise Malformed(f"the body is not a JSON object: {_places(error)}") from error
    if len(body) <= _LARGE_BYTES or _may_have_twins(body, names):
        _refuse_twins(body)
    if _may_name_no_number(body):
        check(body)
    return found


def _may_have_twins(body: bytes, names: Iterable[bytes]) -> bool:
    by_bytes = any(body.count(b'"%s"' % name) > 1 for name in names)
    return by_bytes or _ESCAPED_NAME.search(body) is not None


def _refuse_twins(body: bytes) -> None:
    """Raise Malformed where any member at the top of the object comes twice."""
    names: list[str] = []
    if len(_NAMES.validate_json(body, context=names)) != len(names):
        raise Malformed("a member of the JSON object comes twice")


def split_object(body: bytes) -> dict[str, bytes]:
    """Cut a JSON object into its members, each value as the bytes that stand there.

    Raises Malformed where the body is not a JSON object, or where a member comes twice.
    """
    check(body)
    text = body.decode()
    members: dict[str, bytes] = {}
    at = _enter(text, "{", "an object")
    while text[at] != "}":
        name, at = _DECODER.raw_decode(text, at)
        colon = _skip_space(text, at)
        start = _skip_space(text, colon + 1)
        _, at = _DECODER.raw_decode(text, start)
        if name in members:
            raise Malformed("a member of the JSON object comes twice")
        members[name] = text[start:at].encode()
        at = _skip_comma(text, at)
    return members


def split_array(body: bytes) -> list[bytes]:
    """Cut a JSON array into its elements, each as the bytes that stand there.

    Raises Malformed where the body is not a JSON array.
    """
    check(body)
    text = body.decode()
    elements: list[bytes] = []
    at = _enter(text, "[", "an array")
    while text[at] != "]":
        start = at
        _, at = _DECODER.raw_decode(text, start)
        elements.append(text[start:at].encode())
        at = _skip_comma(text, at)
    return elements


def _may_name_no_number(body: bytes) -> bool:
    # pydantic takes NaN and Infinity in what it skips. `rfind` looks for so short a word twice as
    # fast as `in`, and this is on the way of every delivery.
    return body.rfind(b"NaN") >= 0 or body.rfind(b"Infinity") >= 0


def _places(error: ValidationError) -> str:
    problems = error.errors(include_url=False, include_input=False)[:_MAX_PLACES]
    return ", ".join(
        f"{'.'.join(str(part) for part in one['loc']) or 'body'}: {one['msg']}" for one in problems
    )


def _enter(text: str, opening: str, what: str) -> int:
    at = _skip_space(text, 0)
    if text[at] != opening:
        raise Malformed(f"the body is not {what}")
    return _skip_space(text, at + 1)


def _skip_space(text: str, at: int) -> int:
    found = _SPACE.match(text, at)
    return found.end() if found else at


def _skip_comma(text: str, at: int) -> int:
    at = _skip_space(text, at)
    return _skip_space(text, at + 1) if text[at] == "," else at
