"""The stream of a watch: what a selector lets through, line by line, until it ends.

Protocol: https://kubernetes.io/docs/reference/using-api/api-concepts/#efficient-detection-of-changes.
"""

import asyncio
from dataclasses import dataclass

import orjson
from aiohttp import web

from hub.sandbox.kubernetes.changes import Bookmark, Change, End, Expired, Told, Watch
from hub.sandbox.kubernetes.kinds import Kind, Object
from hub.sandbox.kubernetes.refusal import expired
from hub.sandbox.kubernetes.selectors import Selector


@dataclass(frozen=True, slots=True, kw_only=True)
class Filter:
    """What one watch is about."""

    kind: Kind
    namespace: str | None
    selector: Selector
    bookmarks: bool

    def matches(self, one: Object | None) -> bool:
        """Whether an object is one that is watched."""
        if one is None or self.namespace not in {None, one["metadata"]["namespace"]}:
            return False
        return self.selector(one)


async def stream(
    request: web.Request, watch: Watch, wanted: Filter, *, present: list[Object], seconds: float
) -> web.StreamResponse:
    """Send what is present, then what happens, for so many seconds at most.

    A version that is forgotten is told in the stream: the answer's status is 200 by then.
    """
    response = web.StreamResponse(headers={"Content-Type": "application/json"})
    await response.prepare(request)
    try:
        for one in present:
            await _send(response, "ADDED", one)
        async with asyncio.timeout(seconds):
            while not isinstance(told := await watch.next(), End | Expired):
                await _tell(response, wanted, told)
        if isinstance(told, Expired):
            gone = expired(f"too old resource version: {told.version}")
            await _send(response, "ERROR", gone.status())
    except TimeoutError:
        await response.write_eof()
    except ConnectionError:
        # Whoever watched has gone.
        return response
    return response


async def _tell(response: web.StreamResponse, wanted: Filter, told: Told) -> None:
    match told:
        case Bookmark() if wanted.bookmarks:
            await _send(response, "BOOKMARK", _bookmark(wanted.kind, told.version))
        case Change(kind=kind) if kind == wanted.kind:
            name = _event(wanted, told)
            if name is not None:
                await _send(response, name, told.object)
        case _:
            return


def _event(wanted: Filter, change: Change) -> str | None:
    """Name a change as this watch sees it: what ceases to match is deleted for it."""
    match (wanted.matches(change.before), wanted.matches(change.after)):
        case (True, True):
            return "MODIFIED"
        case (True, False):
            return "DELETED"
        case (False, True):
            return "ADDED"
        case _:
            return None


async def _send(response: web.StreamResponse, name: str, one: Object) -> None:
    await response.write(orjson.dumps({"type": name, "object": one}) + b"\n")


def _bookmark(kind: Kind, version: int) -> Object:
    return {
        "apiVersion": kind.api_version,
        "kind": kind.kind,
        "metadata": {"resourceVersion": str(version), "creationTimestamp": None},
    }
