"""Crossplane sends nothing: its objects are watched, and their conditions make the events.

Conditions: https://docs.crossplane.io/latest/guides/troubleshoot-crossplane/. An event's data are
what `hub/events/crossplane.py` reads: never the rest of the object, which may hold what is secret.
"""

from collections.abc import Iterator

import orjson
from pydantic import AliasPath, BaseModel, Field

from hub.events.attributes import checked
from hub.events.crossplane import PAUSED
from hub.events.envelope import Envelope
from hub.events.identity import derive_id
from hub.events.json_parts import only
from hub.events.kubernetes import Condition, Conditions, Text, condition, unix_time
from hub.events.strict_json import read
from hub.events.types import (
    COMPOSITE_DELETED,
    COMPOSITE_NOT_READY,
    COMPOSITE_READY,
    COMPOSITE_STUCK,
    COMPOSITE_SYNC_FAILED,
    COMPOSITE_SYNCED,
    MANAGED_CORRECTED,
    MANAGED_DRIFTED,
)
from hub.sources.interface import Overdue, Seen, Sighting

_PARTS = (
    *("apiVersion", "kind", "metadata.namespace", "metadata.name", "metadata.uid"),
    *("metadata.labels", "metadata.creationTimestamp", "metadata.deletionTimestamp"),
    "metadata.ownerReferences",
    *("spec.claimRef", "spec.crossplane.compositionRef", "status.conditions"),
)
"""What an event's data have of the object."""

_COMPOSITE = {
    ("Ready", "True"): COMPOSITE_READY,
    ("Ready", "False"): COMPOSITE_NOT_READY,
    ("Synced", "True"): COMPOSITE_SYNCED,
    ("Synced", "False"): COMPOSITE_SYNC_FAILED,
}
_MANAGED = {
    ("UpToDate", "True"): MANAGED_CORRECTED,
    ("UpToDate", "False"): MANAGED_DRIFTED,
}


class _Object(BaseModel):
    namespace: Text = Field("", validation_alias=AliasPath("metadata", "namespace"))
    name: str = Field(validation_alias=AliasPath("metadata", "name"))
    uid: str = Field(validation_alias=AliasPath("metadata", "uid"))
    created_at: Text = Field("", validation_alias=AliasPath("metadata", "creationTimestamp"))
    deleted_at: Text = Field("", validation_alias=AliasPath("metadata", "deletionTimestamp"))
    conditions: Conditions = Field((), validation_alias=AliasPath("status", "conditions"))


def see_composite(sighting: Sighting) -> Seen:
    """Read a composite, or a claim. Raises Malformed."""
    seen = _Sight(sighting)
    return Seen(
        uid=seen.found.uid,
        events=seen.events(_COMPOSITE),
        overdue=seen.stuck(),
        gone=seen.event(COMPOSITE_DELETED, at="", since=""),
    )


def see_managed(sighting: Sighting) -> Seen:
    """Read a managed resource: only whether it has drifted is told. Raises Malformed."""
    seen = _Sight(sighting)
    return Seen(uid=seen.found.uid, events=seen.events(_MANAGED))


class _Sight:
    """An object, and the events that it makes."""

    def __init__(self, sighting: Sighting) -> None:
        part = only(sighting.body, _PARTS)
        self.found = read(_Object, part)
        self._sighting = sighting
        self._place = "/".join(filter(None, (self.found.namespace, self.found.name)))
        addressed = {
            "group": sighting.group,
            "version": sighting.version,
            "plural": sighting.plural,
            "kind": sighting.kind,
        }
        self._data = b'{"resource":%b,%b' % (orjson.dumps(addressed), part[1:])

    def events(self, types: dict[tuple[str, str], str]) -> tuple[Envelope, ...]:
        """Return what the conditions say, the oldest first."""
        told = sorted(self._told(types), key=lambda one: _since(one[1].since))
        return tuple(self.event(type_, at=one.since, since=one.since) for type_, one in told)

    def _told(self, types: dict[tuple[str, str], str]) -> Iterator[tuple[str, Condition]]:
        for one in self.found.conditions:
            type_ = types.get((one.type, one.status))
            if type_ and one.reason != PAUSED:
                yield type_, one

    def stuck(self) -> Overdue | None:
        """Return since when it is not as it should be; None where it is, or was paused."""
        found = self.found
        if condition(found.conditions, "Synced").reason == PAUSED:
            return None
        if found.deleted_at:
            return self._overdue("deletion", _since(found.deleted_at))
        since = [_since(at) for at in self._failing() if at]
        return self._overdue("state", min(since)) if since else None

    def _failing(self) -> Iterator[str]:
        """Yield since when it is not ready, or not synced."""
        found = self.found
        ready, synced = condition(found.conditions, "Ready"), condition(found.conditions, "Synced")
        if ready.status != "True":
            yield ready.since or found.created_at
        if synced.status == "False":
            yield synced.since or found.created_at

    def _overdue(self, trouble: str, since: float) -> Overdue:
        event = self.event(COMPOSITE_STUCK, at="", since=str(int(since)))
        return Overdue(trouble=trouble, since=since, event=event)

    def event(self, type_: str, *, at: str, since: str) -> Envelope:
        """Make an event of this type; `since` tells it from another of the same type."""
        sighting = self._sighting
        return checked(
            Envelope(
                id=derive_id(self.found.uid, type_, since),
                source=f"/kubernetes/{sighting.cluster}/{sighting.group}/{sighting.kind}/{self._place}",
                type=type_,
                subject=self._place,
                time=at or None,
                partitionkey=self._place,
                data=self._data,
            )
        )


def _since(time: str) -> float:
    """Return a time as Unix time; what is no time has been so for ever."""
    return unix_time(time) or 0.0
