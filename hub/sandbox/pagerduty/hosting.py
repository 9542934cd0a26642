"""`PagerDuty`: one service that is served, with its incidents and changes to look at."""

import uuid
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from enum import StrEnum
from http import HTTPStatus
from typing import Any, TypeVar

import orjson
from aiohttp import web
from pydantic import BaseModel, ValidationError

from hub.sandbox.faults import Faults, Status
from hub.sandbox.loopback import Loopback
from hub.sandbox.pagerduty.events import Change, Event, Later, Trigger

_MAX_BODY = 512 * 1024


class IncidentState(StrEnum):
    """Where an incident stands."""

    TRIGGERED = "triggered"
    ACKNOWLEDGED = "acknowledged"
    RESOLVED = "resolved"


@dataclass(frozen=True, slots=True, kw_only=True)
class Incident:
    """An incident, with the alert that opened it."""

    dedup_key: str
    state: IncidentState
    summary: str
    source: str
    severity: str
    details: dict[str, Any]
    links: tuple[str, ...]
    events: int = 1
    """How many events it has taken in."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ChangeEvent:
    """A change that was made."""

    summary: str
    source: str
    details: dict[str, Any]
    links: tuple[str, ...]


_B = TypeVar("_B", bound=BaseModel)


class PagerDuty:
    """One service with one integration."""

    def __init__(self, *, faults: Faults, routing_key: str | None = None) -> None:
        """With a `routing_key` events for any other are refused."""
        self._routing_key = routing_key
        self._incidents: list[Incident] = []
        self._changes: list[ChangeEvent] = []
        app = web.Application(
            middlewares=[faults.middleware("pagerduty", answer=_spoilt)],
            client_max_size=2 * _MAX_BODY,
        )
        app.add_routes(
            [
                web.post("/v2/enqueue", self._enqueue),
                web.post("/v2/change/enqueue", self._enqueue_change),
            ]
        )
        self._server = Loopback(app)

    @property
    def url(self) -> str:
        """The base address of the Events API, known once started."""
        return self._server.url

    async def start(self) -> str:
        """Listen, and return the base address of the Events API."""
        return await self._server.start()

    async def stop(self) -> None:
        """Stop listening."""
        await self._server.stop()

    def incidents(self) -> Sequence[Incident]:
        """Return every incident, oldest first."""
        return tuple(self._incidents)

    def changes(self) -> Sequence[ChangeEvent]:
        """Return every change event, oldest first."""
        return tuple(self._changes)

    async def _enqueue(self, request: web.Request) -> web.Response:
        return await self._take(
            request, lambda body: Event.model_validate({"event": body}).event, self._apply
        )

    async def _enqueue_change(self, request: web.Request) -> web.Response:
        return await self._take(request, Change.model_validate, self._note)

    async def _take(
        self, request: web.Request, parse: Callable[[Any], _B], apply: Callable[[_B], str | None]
    ) -> web.Response:
        raw = await request.read()
        if len(raw) > _MAX_BODY:
            return _invalid("Event exceeds the maximum size", status=413)
        try:
            event = parse(orjson.loads(raw))
        except orjson.JSONDecodeError:
            return _invalid("JSON cannot be parsed")
        except ValidationError as error:
            return _invalid(*map(_worded, error.errors(include_input=False, include_url=False)))
        if self._routing_key not in {None, getattr(event, "routing_key", None)}:
            return _invalid("Invalid routing key")
        return _accepted(apply(event))

    def _apply(self, event: Trigger | Later) -> str:
        key = event.dedup_key or uuid.uuid4().hex
        place = self._open(key)
        if isinstance(event, Trigger) and place is None:
            self._incidents.append(_incident(event, key))
        elif place is not None:
            before = self._incidents[place]
            state = _next_state(before.state, event.event_action)
            self._incidents[place] = replace(before, state=state, events=before.events + 1)
        return key

    def _open(self, key: str) -> int | None:
        """Return the place of the incident that takes in events of this key, if there is one."""
        for place, incident in enumerate(self._incidents):
            if incident.dedup_key == key and incident.state is not IncidentState.RESOLVED:
                return place
        return None

    def _note(self, event: Change) -> None:
        self._changes.append(
            ChangeEvent(
                summary=event.payload.summary,
                source=event.payload.source,
                details=event.payload.custom_details,
                links=tuple(one.href for one in event.links),
            )
        )


def _incident(event: Trigger, key: str) -> Incident:
    return Incident(
        dedup_key=key,
        state=IncidentState.TRIGGERED,
        summary=event.payload.summary,
        source=event.payload.source,
        severity=event.payload.severity,
        details=event.payload.custom_details,
        links=tuple(one.href for one in event.links),
    )


def _next_state(state: IncidentState, action: str) -> IncidentState:
    if action == "resolve":
        return IncidentState.RESOLVED
    return IncidentState.ACKNOWLEDGED if action == "acknowledge" else state


def _worded(problem: Any) -> str:
    place = ".".join(str(part) for part in problem["loc"] if part not in {"event", "trigger"})
    return f"'{place or 'event'}' {problem['msg']}"


def _accepted(key: str | None) -> web.Response:
    body = {"status": "success", "message": "Event processed"}
    return _reply({**body, "dedup_key": key} if key is not None else body, 202)


def _invalid(*problems: str, status: int = 400) -> web.Response:
    body = {
        "status": "invalid event",
        "message": "Event object is invalid",
        "errors": list(problems),
    }
    return _reply(body, status)


def _spoilt(fault: Status) -> web.Response:
    """Answer as PagerDuty does when told to fail."""
    body = {
        "status": "throttle exceeded",
        "message": "Requests for this service are arriving too quickly. Please retry later.",
    }
    return _reply(body if fault.status == HTTPStatus.TOO_MANY_REQUESTS else {}, fault.status)


def _reply(body: dict[str, Any], status: int) -> web.Response:
    return web.Response(body=orjson.dumps(body), status=status, content_type="application/json")
