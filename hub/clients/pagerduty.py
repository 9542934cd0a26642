"""PagerDuty's Events API v2: trigger, resolve, and change events.

https://developer.pagerduty.com/docs/events-api-v2-overview. Sent again under the same `dedup_key`
an event is the same incident, so a lost answer does no harm; a change event has no such key and may
stand there twice after one. The routing key travels in the body, and in no error.
"""

from collections.abc import Iterable

from pydantic import BaseModel

from hub.actions.action import Call
from hub.actions.pagerduty import ResolveIncident, SendChangeEvent, TriggerIncident
from hub.clients.endpoint import Endpoint
from hub.clients.http import Http, Request
from hub.errors import TemporaryError
from hub.events.identity import derive_id
from hub.secrets import SecretPlace
from hub.settings import PagerDutySettings

MAX_DEDUP_KEY = 255
MAX_SUMMARY = 1024

_MAX_DETAIL = 4096
_DETAILS_BYTES = 64 * 1024
"""For all details together. JSON may write one byte as six, and PagerDuty takes 512 KB."""

_BACK_OFF_SECONDS = 60.0
"""PagerDuty asks for "a backoff of a few minutes"; the retry policy grows from here."""

_ENQUEUE = "/v2/enqueue"
_CHANGE = "/v2/change/enqueue"


class _Link(BaseModel):
    href: str
    text: str


class _Alert(BaseModel):
    summary: str
    source: str
    severity: str
    custom_details: dict[str, str]


class _Trigger(BaseModel):
    routing_key: str
    event_action: str = "trigger"
    dedup_key: str
    payload: _Alert
    links: tuple[_Link, ...]
    client: str = "Trunkline"


class _Resolve(BaseModel):
    routing_key: str
    event_action: str = "resolve"
    dedup_key: str


class _Changed(BaseModel):
    summary: str
    source: str
    custom_details: dict[str, str]


class _Change(BaseModel):
    routing_key: str
    payload: _Changed
    links: tuple[_Link, ...]


class PagerDuty:
    """One integration of one service, with its routing key."""

    def __init__(
        self, *, settings: PagerDutySettings, http: Http, routing_key: SecretPlace
    ) -> None:
        self._http = http
        self._routing_key = routing_key
        self._endpoint = Endpoint(
            http,
            url=settings.events_url,
            system="PagerDuty",
            credential=routing_key,
            bearer=False,
        )

    async def trigger(self, action: TriggerIncident, _call: Call) -> None:
        """Page, or add to the incident that is open under the same key."""
        event = _Trigger(
            routing_key=self._key(),
            dedup_key=dedup_key(action.dedup_key),
            payload=_Alert(
                summary=_summary(action.summary),
                source=_summary(action.source),
                severity=action.severity,
                custom_details=_details(action.details),
            ),
            links=_links(action.url),
        )
        await self._send(_ENQUEUE, event)

    async def resolve(self, action: ResolveIncident, _call: Call) -> None:
        """Resolve the incident of this key; nothing where none is open."""
        event = _Resolve(routing_key=self._key(), dedup_key=dedup_key(action.dedup_key))
        await self._send(_ENQUEUE, event)

    async def change(self, action: SendChangeEvent, _call: Call) -> None:
        """Show a change beside the service's incidents."""
        event = _Change(
            routing_key=self._key(),
            payload=_Changed(
                summary=_summary(action.summary),
                source=_summary(action.source),
                custom_details=_details(action.details),
            ),
            links=_links(action.url),
        )
        await self._send(_CHANGE, event)

    def _key(self) -> str:
        return self._routing_key.read(self._http.monotonic()).expose()

    async def _send(self, path: str, event: _Trigger | _Resolve | _Change) -> None:
        request = Request(method="POST", path=path, body=event.model_dump_json().encode())
        try:
            await self._endpoint.call(request, answered={200, 202})
        except TemporaryError as error:
            after = max(error.after or 0.0, _BACK_OFF_SECONDS)
            raise TemporaryError(str(error), after=after) from error


def dedup_key(key: str) -> str:
    """Return the key as PagerDuty takes it; one that is too long keeps its beginning."""
    if len(key) <= MAX_DEDUP_KEY:
        return key
    digest = derive_id(key)
    return f"{key[: MAX_DEDUP_KEY - len(digest) - 1]}#{digest}"


def _summary(text: str) -> str:
    return text[:MAX_SUMMARY] or "(no words)"


def _details(pairs: Iterable[tuple[str, str]]) -> dict[str, str]:
    """Keep the details that fit, each cut to a readable length."""
    kept: dict[str, str] = {}
    room = _DETAILS_BYTES
    for name, value in pairs:
        shown = value[:_MAX_DETAIL]
        room -= len(f"{name}{shown}".encode())
        if room < 0:
            break
        kept[name] = shown
    return kept


def _links(url: str | None) -> tuple[_Link, ...]:
    return () if url is None else (_Link(href=url, text="Open"),)
