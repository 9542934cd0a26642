"""A watch: the changes of a kind, as the API server streams them.

See https://kubernetes.io/docs/reference/using-api/api-concepts/#efficient-detection-of-changes.
A watch is short (`WATCH_SECONDS`), so that a connection that has died unnoticed, or a token that
was replaced, is of no consequence for longer.
"""

from collections.abc import AsyncGenerator
from dataclasses import dataclass
from http import HTTPStatus

from pydantic import ValidationError

from hub.clients.endpoint import Endpoint
from hub.clients.kubernetes.objects import ObjectPart, Resource
from hub.errors import Malformed, TemporaryError
from hub.events.json_parts import members, only

WATCH_SECONDS = 50
"""After which the API server is asked to end a watch, and a new one goes on from there."""

SILENCE_SECONDS = 65.0
"""Without a byte, not even the end of the watch: then nobody is at the other end any more."""

MOST_BYTES = 4 * 1024 * 1024
"""Of one line: an object has at most 1.5 MB in etcd, and somewhat more as JSON."""


class WatchExpired(TemporaryError):
    """The changes since that version are forgotten: what is there has to be listed anew."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Changed:
    """An object was created or changed; it is this now."""

    body: bytes
    version: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Removed:
    """An object was deleted; it was this last."""

    body: bytes
    version: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Bookmark:
    """Nothing happened: all up to this version has been told."""

    version: str


Told = Changed | Removed | Bookmark


class _Metadata(ObjectPart):
    resource_version: str = ""


class _Object(ObjectPart):
    metadata: _Metadata = _Metadata()
    code: int = 0
    """Of a Status, which an ERROR carries."""
    reason: str = ""


_PARTS = ("type", "object.metadata.resourceVersion", "object.code", "object.reason")


class _Line(ObjectPart):
    type: str = ""
    object: _Object = _Object()


async def follow(
    api: Endpoint, resource: Resource, *, namespace: str | None, since: str
) -> AsyncGenerator[Told]:
    """Yield what happens after a version, until the API server ends the watch.

    Raises WatchExpired, and TemporaryError for silence, a lost connection, and lines that are none.
    """
    request = resource.request(
        "GET",
        namespace,
        query=(
            ("watch", "true"),
            ("allowWatchBookmarks", "true"),
            ("resourceVersion", since),
            ("timeoutSeconds", str(WATCH_SECONDS)),
        ),
    )
    answered = {HTTPStatus.OK, HTTPStatus.GONE}
    async with api.stream(request, silence_seconds=SILENCE_SECONDS, answered=answered) as streamed:
        if streamed.status == HTTPStatus.GONE:
            raise WatchExpired("the version to watch from is forgotten")
        async for line in streamed.lines(most_bytes=MOST_BYTES):
            yield _told(line)


def _told(line: bytes) -> Told:
    try:
        read = _Line.model_validate_json(only(line, _PARTS))
        body = members(line)["object"]
    except (Malformed, ValidationError, KeyError) as error:
        raise TemporaryError("the watch sent a line that cannot be read") from error
    version = read.object.metadata.resource_version
    match read.type:
        case "ADDED" | "MODIFIED":
            return Changed(body=body, version=version)
        case "DELETED":
            return Removed(body=body, version=version)
        case "BOOKMARK":
            return Bookmark(version=version)
        case "ERROR" if read.object.code == HTTPStatus.GONE or read.object.reason in _FORGOTTEN:
            raise WatchExpired("the version to watch from is forgotten")
        case _:
            raise TemporaryError(f"the watch was ended with an error ({read.object.code})")


_FORGOTTEN = frozenset({"Expired", "Gone"})
