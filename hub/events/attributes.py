"""The rules for the attributes of a CloudEvent: what the specification demands, and limits.

https://github.com/cloudevents/spec/blob/v1.0.2/cloudevents/spec.md. Whatever passes here can be
written into HTTP and Kafka headers, logs and pages without another look at control characters.
"""

import re
from collections.abc import Callable
from datetime import datetime
from functools import lru_cache
from urllib.parse import urlsplit

from hub.errors import Malformed
from hub.events.envelope import Envelope

MAX_ID = 128
"""Characters. Ids are keys of an index, and people read them out."""

MAX_TEXT = 1024
"""Characters of any other attribute: a header line that every proxy passes on."""

MAX_EXTENSIONS = 32
"""Extension attributes of one event. All of them are headers on Kafka and in HTTP."""

_ANSWERS_KEPT = 256
"""Answers remembered for one rule: more than the sources of one installation, and bounded."""

MAX_HOPS_WRITTEN = 2**31 - 1
"""CloudEvents integers have 32 bits."""

EXTENSION_NAME = re.compile(r"[a-z0-9]{1,20}")
"""The specification advises at most 20 characters; here it is the rule."""

NAMES = frozenset(
    {
        *("specversion", "id", "source", "type", "subject", "time"),
        *("datacontenttype", "dataschema", "data"),
        *("partitionkey", "traceparent", "hubhops", "hubkey"),
    }
)
"""What an extension of a sender's own may not be called."""

_NONCHARACTERS = "\ufdd0-\ufdef" + "".join(
    f"{chr(plane << 16 | 0xFFFE)}{chr(plane << 16 | 0xFFFF)}" for plane in range(17)
)
_TEXT = re.compile(f"[^\x00-\x1f\x7f-\x9f\ud800-\udfff{_NONCHARACTERS}]{{1,{MAX_TEXT}}}")
_TYPE = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,254}")
_URI_REFERENCE = re.compile(
    rf"(?:[\w.~:/?#\[\]@!$&'()*+,;=-]|%[0-9A-Fa-f]{{2}}){{1,{MAX_TEXT}}}", re.ASCII
)
_SCHEME = re.compile(r"[A-Za-z][A-Za-z0-9+.-]*:")
_TIME = re.compile(r"\d{4}-\d\d-\d\d[Tt]\d\d:\d\d:\d\d(\.\d{1,9})?([Zz]|[+-]\d\d:\d\d)", re.ASCII)
_MEDIA_TYPE = re.compile(
    r"[\w!#$&^.+-]{1,127}/[\w!#$&^.+-]{1,127} *(;[\x20-\x7e]{0,256})?", re.ASCII
)
_TRACEPARENT = re.compile(r"[0-9a-f]{2}-[0-9a-f]{32}-[0-9a-f]{16}-[0-9a-f]{2}")
_KEY = re.compile(r"[A-Za-z0-9._/-]{1,128}")


def is_text(value: str) -> bool:
    """Whether this may be a string attribute: 1 to 1024 characters and no control among them."""
    # Printable ASCII is a fifth of the expression's cost, and nearly everything.
    if value.isascii() and value.isprintable():
        return 0 < len(value) <= MAX_TEXT
    return _TEXT.fullmatch(value) is not None


def _is_id(value: str) -> bool:
    return len(value) <= MAX_ID and value.isprintable() and is_text(value)


def _is_uri_reference(value: str) -> bool:
    if _URI_REFERENCE.fullmatch(value) is None or value.count("#") > 1:
        return False
    try:
        urlsplit(value)
    except ValueError:
        return False
    return True


def _is_uri(value: str) -> bool:
    return _is_uri_reference(value) and _SCHEME.match(value) is not None


def _is_time(value: str) -> bool:
    if _TIME.fullmatch(value) is None:
        return False
    try:
        datetime.fromisoformat(value.upper())
    except ValueError:
        return False
    return True


def _remembering(obeys: Callable[[str], object]) -> Callable[[str], bool]:
    """Return the rule with its latest answers kept: most events are of few sources and types."""
    remembered = lru_cache(maxsize=_ANSWERS_KEPT)(obeys)
    return lambda value: bool(remembered(value) if len(value) <= MAX_TEXT else obeys(value))


_RULES: tuple[tuple[str, Callable[[str], object], str], ...] = (
    ("id", _is_id, f"is not 1 to {MAX_ID} printable characters"),
    ("source", _remembering(_is_uri_reference), "is not a URI reference"),
    (
        "type",
        _remembering(_TYPE.fullmatch),
        "is not a name of letters, digits, dots, dashes and underscores",
    ),
    (
        "partitionkey",
        _remembering(is_text),
        f"is not 1 to {MAX_TEXT} characters without control characters",
    ),
    ("subject", is_text, f"is not 1 to {MAX_TEXT} characters without control characters"),
    ("time", _is_time, "is not an RFC 3339 time"),
    ("datacontenttype", _remembering(_MEDIA_TYPE.fullmatch), "is not a media type"),
    ("dataschema", _is_uri, "is not a URI"),
    ("traceparent", _TRACEPARENT.fullmatch, "is not a W3C trace parent"),
    ("hubkey", _remembering(_KEY.fullmatch), "is not the name of a key"),
)


def checked(event: Envelope) -> Envelope:
    """Return the event. Raises Malformed naming the first attribute that breaks its rule."""
    for name, obeys, complaint in _RULES:
        value = getattr(event, name)
        if value is not None and not obeys(value):
            raise Malformed(f"{name} {complaint}")
    if not 0 <= event.hubhops <= MAX_HOPS_WRITTEN:
        raise Malformed("hubhops is not a count")
    if event.extensions:
        _check_extensions(event.extensions)
    return event


def _check_extensions(extensions: tuple[tuple[str, str], ...]) -> None:
    if len(extensions) > MAX_EXTENSIONS:
        raise Malformed(f"there are more than {MAX_EXTENSIONS} extension attributes")
    if len({name for name, _ in extensions}) != len(extensions):
        raise Malformed("an extension attribute comes twice")
    for name, value in extensions:
        if EXTENSION_NAME.fullmatch(name) is None or name in NAMES:
            raise Malformed("an extension attribute's name is not 1 to 20 of a-z and 0-9, or taken")
        if not is_text(value):
            raise Malformed(f"{name} is not 1 to {MAX_TEXT} characters without control characters")
