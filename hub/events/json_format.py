"""The JSON event format of CloudEvents, with the data's bytes kept as they are.

https://github.com/cloudevents/spec/blob/v1.0.2/cloudevents/formats/json-format.md. Reading the data
and writing it anew would change its numbers, its spaces and the order of its members.
"""

import base64
import binascii
import re
from collections.abc import Mapping

import orjson

from hub.errors import Malformed
from hub.events.attributes import EXTENSION_NAME, NAMES
from hub.events.strict_json import check, split_object

_JSON_MEDIA = re.compile(r"[^/]+/([^/;]+\+)?json *(;.*)?", re.IGNORECASE)
_DEFAULT_MEDIA = "application/json"
_INTEGERS = range(-(2**31), 2**31)
"""The integers that CloudEvents knows."""


def is_json(datacontenttype: str) -> bool:
    """Whether data of this media type is JSON."""
    return _JSON_MEDIA.fullmatch(datacontenttype) is not None


def write_event(attributes: Mapping[str, str], data: bytes) -> bytes:
    """Write an event as one JSON object: JSON data as it stands, any other as base64.

    JSON with space around it goes as base64 too, for that space would be lost.
    """
    event: dict[str, object] = dict(attributes)
    if (
        data
        and is_json(attributes.get("datacontenttype", _DEFAULT_MEDIA))
        and _can_be_spliced(data)
    ):
        event["data"] = orjson.Fragment(data)
    elif data:
        event["data_base64"] = base64.b64encode(data).decode()
    return orjson.dumps(event)


def read_event(body: bytes) -> tuple[dict[str, str], bytes]:
    """Read an event's attributes, each as its canonical string, and its data as it stands.

    Raises Malformed naming the attribute that is wrong.
    """
    members = split_object(body)
    data, encoded = members.pop("data", None), members.pop("data_base64", None)
    attributes = {}
    for name, value in members.items():
        text = _canonical(name, orjson.loads(value))
        if text is not None:
            attributes[name] = text
    if encoded is not None:
        if data is not None:
            raise Malformed("data is there twice, as data and as data_base64")
        return attributes, _unpacked(encoded)
    if data is None or is_json(attributes.get("datacontenttype", _DEFAULT_MEDIA)):
        return attributes, data or b""
    text = orjson.loads(data)
    if not isinstance(text, str):
        raise Malformed("data is not a string, though datacontenttype is not JSON")
    return attributes, text.encode()


def _can_be_spliced(data: bytes) -> bool:
    if data != data.strip(b" \t\n\r"):
        return False
    try:
        check(data)
    except Malformed:
        return False
    return True


def _canonical(name: str, value: object) -> str | None:
    if name not in NAMES and EXTENSION_NAME.fullmatch(name) is None:
        raise Malformed("an extension attribute's name is not 1 to 20 of a-z and 0-9")
    if value is None or isinstance(value, str):
        return value
    if name in NAMES and name != "hubhops":
        raise Malformed(f"{name} is not a string")
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, int) and value in _INTEGERS:
        return str(value)
    raise Malformed(f"{name} is neither a string nor a boolean nor an integer of 32 bits")


def _unpacked(encoded: bytes) -> bytes:
    try:
        return base64.b64decode(orjson.loads(encoded), validate=True)
    except (binascii.Error, TypeError, ValueError) as error:
        raise Malformed("data_base64 is not base64") from error
