"""The answers, as a sender sees them. None repeats what was sent, but for an accepted event's name.

Errors are problem details, https://www.rfc-editor.org/rfc/rfc9457.
"""

from collections.abc import Mapping, Sequence
from http import HTTPStatus

import orjson
from aiohttp.web import Response

from hub.bus.interface import Receipt, Stored
from hub.errors import Refused
from hub.events.envelope import Envelope
from hub.receiver.limits import RETRY_AFTER_SECONDS
from hub.receiver.refusals import RefusedUnread
from hub.sources.interface import Ignored

_JSON = {"Content-Type": "application/json", "Server": "trunkline"}
_PROBLEM = {"Content-Type": "application/problem+json", "Server": "trunkline"}
_CHALLENGE = {"WWW-Authenticate": "Bearer"}
"""RFC 9110 asks for a challenge with every 401. The same at every door, so that it is no hint."""


def accepted(events: Sequence[Envelope], receipts: Sequence[Receipt]) -> Response:
    """202: durable. A list where there were several events."""
    names = [_name(event, receipt) for event, receipt in zip(events, receipts, strict=True)]
    return _json(HTTPStatus.ACCEPTED, names[0] if len(names) == 1 else names)


def ignored(taken: Ignored) -> Response:
    """202 or 200: authentic, understood, and of no interest."""
    return _json(taken.status, {"status": "ignored", "reason": taken.reason})


def refused(refusal: Refused) -> Response:
    """Say what is wrong, as far as the refusal tells, and close where the body was not read."""
    response = _problem(refusal.status, detail=str(refusal) or None, headers=_extra(refusal))
    if isinstance(refusal, RefusedUnread):
        response.force_close()
    return response


def unwritable() -> Response:
    """503: the log cannot take it now."""
    return _problem(
        HTTPStatus.SERVICE_UNAVAILABLE,
        detail="the event could not be stored; send it again later",
        headers={"Retry-After": str(RETRY_AFTER_SECONDS)},
    )


def failed(error_id: str) -> Response:
    """500: a bug of ours. The log has the same id."""
    return _problem(
        HTTPStatus.INTERNAL_SERVER_ERROR,
        detail="an error of the hub; its log says more under the instance named here",
        instance=f"urn:uuid:{error_id}",
    )


def _name(event: Envelope, receipt: Receipt) -> dict[str, str | bool]:
    name: dict[str, str | bool] = {"id": event.id, "source": event.source, "type": event.type}
    if not isinstance(receipt, Stored):
        name["duplicate"] = True
    return name


def _extra(refusal: Refused) -> Mapping[str, str]:
    if isinstance(refusal, RefusedUnread):
        return refusal.headers
    return _CHALLENGE if refusal.status == HTTPStatus.UNAUTHORIZED else {}


def _json(status: int, content: object) -> Response:
    return Response(status=status, body=orjson.dumps(content), headers=_JSON)


def _problem(
    status: int,
    *,
    detail: str | None,
    headers: Mapping[str, str] | None = None,
    instance: str | None = None,
) -> Response:
    problem: dict[str, str | int] = {"title": HTTPStatus(status).phrase, "status": status}
    if detail is not None:
        problem["detail"] = detail
    if instance is not None:
        problem["instance"] = instance
    return Response(
        status=status, body=orjson.dumps(problem), headers={**_PROBLEM, **(headers or {})}
    )
