"""JSON from outside, read without mercy.

Python's own reader overflows on deep nesting, accepts NaN, and keeps the last of two members with
the same name. Here each of these is Malformed, as are numbers of thousands of digits, lone
surrogates, bytes that are not UTF-8 and byte order marks. So no input raises anything else.

The grammar is https://www.rfc-editor.org/rfc/rfc8259.
"""

import json
import re
from collections.abc import Mapping
from typing import Generic, TypeVar

from pydantic import BaseModel, ValidationError, ValidationInfo
from pydantic_core import CoreSchema, SchemaValidator, core_schema, from_json

from hub.errors import Malformed

M = TypeVar("M", bound=BaseModel)

_MAX_PLACES = 5
"""How many mistakes one answer names: enough to mend them, too few to make the answer long."""

MAX_MEMBERS = 1_000
"""Of one object, each of which is looked at: no webhook has a tenth of it."""

_LARGE_BYTES = 32 * 1024
"""Bodies beyond this have mostly grown by an array, such as the commits of a push."""

_SPACE = re.compile(r"[ \t\n\r]*")
_DECODER = json.JSONDecoder()


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


class Members(Generic[M]):
    """Reads the members of a JSON object in one pass, building next to nothing of them.

    Objects among them are read as a `shape`, and texts and nulls are what they are. Whatever else
    there is stands as something that is none of these.
    """

    def __init__(self, shape: type[M]) -> None:
        built = shape.__pydantic_core_schema__
        # A kind that does not fit costs a copy of the member, so the likely one is tried first.
        self._of_small = _members(built, _UNBUILT)
        self._of_large = _members(_UNBUILT, built)

    def read(self, body: bytes) -> Mapping[str, M | object]:
        """Return the members by their names.

        Raises Malformed where the body is not a JSON object, where a member comes twice, and where
        there are too many of them.
        """
        validator = self._of_small if len(body) <= _LARGE_BYTES else self._of_large
        try:
            members: dict[str, M | object] = validator.validate_json(body, context=set())
        except ValidationError as error:
            raise Malformed(f"the body is not a JSON object: {_places(error)}") from error
        if _may_name_no_number(body):
            check(body)
        return members


_UNBUILT = core_schema.list_schema(core_schema.typed_dict_schema({}), fail_fast=True)
"""An array of objects of which nothing is built."""

_OTHER = object()
_PLAIN = core_schema.nullable_schema(
    core_schema.with_default_schema(
        core_schema.str_schema(strict=True), default=_OTHER, on_error="default"
    )
)
"""A text or null; whatever did not fit before and is neither becomes `_OTHER`."""


def _members(*kinds: CoreSchema) -> SchemaValidator:
    name = core_schema.with_info_after_validator_function(_note, core_schema.str_schema())
    member = core_schema.union_schema([*kinds, _PLAIN], mode="left_to_right")
    return SchemaValidator(core_schema.dict_schema(name, member))


def _note(name: str, info: ValidationInfo[set[str]]) -> str:
    names = info.context
    if name in names:
        raise Malformed("a member of the JSON object comes twice")
    if len(names) >= MAX_MEMBERS:
        raise Malformed(f"the JSON object has more than {MAX_MEMBERS} members")
    names.add(name)
    return name


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
