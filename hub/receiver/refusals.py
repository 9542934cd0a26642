"""Refusals that HTTP itself calls for, beside those of `hub.errors` that the sources raise."""

from collections.abc import Mapping
from types import MappingProxyType

from hub.errors import Malformed, Refused, UnsupportedMedia
from hub.receiver.limits import RETRY_AFTER_SECONDS


class RefusedUnread(Refused):
    """Refused before the body was read to its end: the connection has to close.

    `headers` go out with the answer.
    """

    headers: Mapping[str, str] = MappingProxyType({})


class UnknownPath(RefusedUnread):
    """There is no such door, or it has no key."""

    status = 404


class WrongMethod(RefusedUnread):
    """The path is right, the method is not."""

    status = 405

    def __init__(self, message: str, *, allow: str = "POST") -> None:
        super().__init__(message)
        self.headers = {"Allow": allow}


class BadHeaders(Malformed, RefusedUnread):
    """Headers that two readers could understand in two ways."""


class BrokenBody(Malformed, RefusedUnread):
    """The body breaks HTTP's framing, or its sender left before the end."""


class EncodedBody(UnsupportedMedia, RefusedUnread):
    """A compressed body. What was signed is what was sent, and a bomb stays a small file."""


class TooSlow(RefusedUnread):
    """The body did not arrive in time."""

    status = 408


class TooLarge(RefusedUnread):
    """The body is, or says it is, larger than the door takes."""

    status = 413


class Overloaded(RefusedUnread):
    """No memory for another body now."""

    status = 503
    headers = MappingProxyType({"Retry-After": str(RETRY_AFTER_SECONDS)})
