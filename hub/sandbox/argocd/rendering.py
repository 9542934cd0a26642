"""When to notify, and with what: the triggers and templates of `argocd/notifications/`. Pure.

A test holds this and the ConfigMap there together; what is here is only that one said in Python.
"""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

import orjson

from hub.sandbox.kubernetes import Object

FIELDS = (
    ("metadata", "namespace"),
    ("metadata", "name"),
    ("metadata", "uid"),
    ("metadata", "creationTimestamp"),
    ("metadata", "labels"),
    ("spec", "project"),
    ("status", "sync", "status"),
    ("status", "sync", "revision"),
    ("status", "sync", "revisions"),
    ("status", "health", "status"),
    ("status", "health", "message"),
    ("status", "health", "lastTransitionTime"),
    ("status", "operationState", "phase"),
    ("status", "operationState", "startedAt"),
    ("status", "operationState", "finishedAt"),
    ("status", "operationState", "message"),
    ("status", "operationState", "syncResult", "revision"),
    ("status", "operationState", "syncResult", "revisions"),
)
"""What the templates say of an Application; null where it says nothing."""

Path = tuple[str, ...]

_CREATED = ("metadata", "uid")
_STARTED = ("status", "operationState", "startedAt")
_SINCE = ("status", "health", "lastTransitionTime")


@dataclass(frozen=True, slots=True, kw_only=True)
class Trigger:
    """One trigger: when it fires, what makes it fire anew, and what it says."""

    name: str
    about: str
    once_per: Path
    fires: Callable[[Object], bool]


def _phase(*phases: str) -> Callable[[Object], bool]:
    return lambda app: value_at(app, ("status", "operationState", "phase")) in phases


def _health(status: str) -> Callable[[Object], bool]:
    return lambda app: value_at(app, ("status", "health", "status")) == status


def _deployed(app: Object) -> bool:
    return _phase("Succeeded")(app) and _health("Healthy")(app)


TRIGGERS = (
    Trigger(
        name="on-trunkline-created", about="created", once_per=_CREATED, fires=lambda _app: True
    ),
    Trigger(
        name="on-trunkline-sync-running",
        about="operation",
        once_per=_STARTED,
        fires=_phase("Running"),
    ),
    Trigger(
        name="on-trunkline-sync-succeeded",
        about="operation",
        once_per=_STARTED,
        fires=_phase("Succeeded"),
    ),
    Trigger(
        name="on-trunkline-sync-failed",
        about="operation",
        once_per=_STARTED,
        fires=_phase("Failed", "Error"),
    ),
    Trigger(
        name="on-trunkline-health-degraded",
        about="health",
        once_per=_SINCE,
        fires=_health("Degraded"),
    ),
    Trigger(
        name="on-trunkline-health-healthy",
        about="health",
        once_per=_SINCE,
        fires=_health("Healthy"),
    ),
    Trigger(name="on-trunkline-deployed", about="deployed", once_per=_STARTED, fires=_deployed),
)


def value_at(one: Object, path: Path) -> Any:
    """Return what stands at a path, None where it is broken off."""
    value: Any = one
    for key in path:
        value = value.get(key) if isinstance(value, dict) else None
    return value


def fired(app: Object) -> Iterator[tuple[Trigger, str]]:
    """Yield every trigger that fires for an Application, with what it is remembered by."""
    for trigger in TRIGGERS:
        if trigger.fires(app):
            once_per = value_at(app, trigger.once_per) or value_at(app, _STARTED) or ""
            yield trigger, f"{value_at(app, _CREATED)}/{trigger.name}/{once_per}"


def body(trigger: Trigger, app: Object) -> bytes:
    """Return the body that the trigger's template gives."""
    told: Object = {}
    for path in FIELDS:
        place = told
        for key in path[:-1]:
            place = place.setdefault(key, {})
        place[path[-1]] = value_at(app, path)
    return orjson.dumps({"about": trigger.about, "app": told})
