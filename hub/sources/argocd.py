"""Argo CD's notifications, as our templates in `argocd/notifications/` write them, and watches.

The body is `{"about": ..., "app": {...}}`: which side of the Application has changed, and the
Application's own fields. The Application alone is taken too. Argo CD cannot sign, so what it says
is a hint that handlers confirm.
"""

from collections.abc import Callable
from typing import Literal

from pydantic import BaseModel, ConfigDict

from hub.errors import Malformed, UnsupportedMedia
from hub.events.argocd import (
    ApplicationChanged,
    Change,
    created_change,
    deployed_change,
    envelope,
    health_change,
    latest_change,
    operation_change,
)
from hub.events.json_parts import only
from hub.events.strict_json import read
from hub.sources.interface import Headers, Ignored, Seen, Sighting, Taken
from hub.sources.media import JSON, media_type

_HINT = (
    "use the templates in argocd/notifications: without a webhook section with `method: POST` "
    "and a body, Argo CD sends the message's text by GET"
)

_PARTS = (
    *("apiVersion", "kind", "metadata.namespace", "metadata.name", "metadata.uid"),
    *("metadata.labels", "metadata.creationTimestamp", "spec.project", "status.sync.status"),
    *("status.health.status", "status.health.lastTransitionTime", "status.health.message"),
    *(
        f"status.operationState.{part}"
        for part in ("phase", "startedAt", "finishedAt", "message", "syncResult.revision")
    ),
    "status.operationState.syncResult.revisions",
)
"""What the data of an event that was watched have of the Application: a list of everything that it
deploys would be most of it."""


class _Notice(BaseModel):
    """What our template says beside the Application."""

    model_config = ConfigDict(extra="ignore", hide_input_in_errors=True)

    about: Literal["operation", "health", "deployed", "created"] | None = None


_CHANGES: dict[str | None, Callable[[ApplicationChanged], Change | None]] = {
    "operation": operation_change,
    "health": health_change,
    "deployed": deployed_change,
    "created": created_change,
    None: latest_change,
}


def take(headers: Headers, body: bytes, *, hubkey: str) -> Taken:
    """Make a notification the event that a sweep would make of the same Application.

    Raises Malformed, with a hint where the body is not that of our templates, and UnsupportedMedia.
    """
    # Argo CD names no media type unless it is told to.
    if media_type(headers) not in {"", JSON}:
        raise UnsupportedMedia(f"set the service's header Content-Type to {JSON}")
    try:
        about = read(_Notice, body).about
        app = read(ApplicationChanged, body)
    except Malformed as error:
        raise Malformed(f"{error}; {_HINT}") from error
    if app.kind not in {"", "Application"}:
        return Ignored("not an Application")
    change = _CHANGES[about](app)
    if change is None:
        return Ignored("the Application is not in a state that is told of")
    return (envelope(app, change, data=body, hubkey=hubkey),)


def see(sighting: Sighting) -> Seen:
    """Make an Application the events that notifications of its states make. Raises Malformed."""
    data = only(sighting.body, _PARTS)
    app = read(ApplicationChanged, data)
    changes = (
        created_change(app),
        operation_change(app),
        health_change(app),
        deployed_change(app),
    )
    return Seen(
        uid=app.uid,
        events=tuple(
            envelope(app, change, data=data, hubkey=None)
            for change in sorted(filter(None, changes), key=lambda one: one.at)
        ),
    )
