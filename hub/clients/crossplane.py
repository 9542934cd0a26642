"""Crossplane: reads composites from the cluster. Never writes one.

Conditions: https://docs.crossplane.io/latest/guides/troubleshoot-crossplane/. Events:
https://kubernetes.io/docs/reference/kubernetes-api/cluster-resources/event-v1/.
"""

from collections.abc import Collection
from dataclasses import replace

from pydantic import Field, ValidationError

from hub.actions.action import Call
from hub.actions.crossplane import Composite, CompositeState, ReadComposite
from hub.clients.kubernetes import Kubernetes, ObjectPart, Resource
from hub.clients.names import is_object_name
from hub.errors import PermanentError
from hub.events.crossplane import ENVIRONMENT, OWNER, PAUSED
from hub.events.kubernetes import Condition, Conditions, condition, unix_time

EVENTS = Resource(group="events.k8s.io", version="v1", plural="events")
_OF_THE_CLUSTER = "default"
"""The namespace of Events about what is in none."""
_WELL = frozenset({CompositeState.READY, CompositeState.PAUSED})


class Crossplane:
    """The composites that the hub's service account may read."""

    def __init__(self, kubernetes: Kubernetes, *, groups: Collection[str]) -> None:
        """Only kinds of these API groups are read: an event names what it tells of."""
        self._kubernetes = kubernetes
        self._groups = frozenset(groups)

    async def read(self, action: ReadComposite, _call: Call) -> Composite:
        """Return a composite as the cluster has it; `GONE` where there is none of that uid.

        Raises PermanentError where the settings do not name its group.
        """
        if action.group not in self._groups:
            raise PermanentError("the composite's group is not among watcher.groups")
        names = (action.version, action.plural, action.namespace or "none", action.composite)
        if not all(map(is_object_name, names)):
            return Composite(state=CompositeState.GONE)
        body = await self._kubernetes.get(
            Resource(group=action.group, version=action.version, plural=action.plural),
            namespace=action.namespace or None,
            name=action.composite,
        )
        found = None if body is None else _read(body)
        if found is None or found.metadata.uid != action.uid:
            return Composite(state=CompositeState.GONE)
        described = _described(found)
        if described.state in _WELL:
            return described
        return replace(described, warning=await self._last_warning(found.metadata))

    async def _last_warning(self, about: "_Metadata") -> str:
        """Return what was warned of last. Whom the cluster tells nothing goes on without."""
        try:
            found = await self._kubernetes.list_all(
                EVENTS,
                namespace=about.namespace or _OF_THE_CLUSTER,
                fields=f"regarding.uid={about.uid},type=Warning",
            )
            last = max(map(_Event.read, found), key=_Event.at, default=None)
        except (PermanentError, ValidationError):
            return ""
        return f"{last.reason}: {last.note}" if last else ""


class _Metadata(ObjectPart):
    namespace: str = ""
    uid: str = ""
    labels: dict[str, str] = Field(default_factory=dict)
    deletion_timestamp: str = ""


class _Reference(ObjectPart):
    namespace: str = ""
    name: str = ""


class _Spec(ObjectPart):
    claim_ref: _Reference = _Reference()


class _Status(ObjectPart):
    conditions: Conditions = ()


class _Object(ObjectPart):
    metadata: _Metadata = _Metadata()
    spec: _Spec = _Spec()
    status: _Status = _Status()


class _Series(ObjectPart):
    last_observed_time: str = ""


class _Event(ObjectPart):
    """What was told by the older of Kubernetes' two libraries has the deprecated time."""

    reason: str = ""
    note: str = ""
    event_time: str = ""
    series: _Series = _Series()
    deprecated_last_timestamp: str = ""

    def at(self) -> float:
        """When it was told last, as Unix time."""
        said = (self.series.last_observed_time, self.event_time, self.deprecated_last_timestamp)
        return max(unix_time(one) or 0.0 for one in said)


def _read(body: bytes) -> _Object:
    try:
        return _Object.read(body)
    except ValidationError as error:
        raise PermanentError("the Kubernetes API sent a composite that cannot be read") from error


def _described(found: _Object) -> Composite:
    metadata, claim = found.metadata, found.spec.claim_ref
    ready = condition(found.status.conditions, "Ready")
    synced = condition(found.status.conditions, "Synced")
    state = _state(metadata, ready, synced)
    return Composite(
        state=state,
        since=max(ready.since, synced.since, metadata.deletion_timestamp),
        message=(synced if state is CompositeState.FAILED else ready).message,
        owner=metadata.labels.get(OWNER, ""),
        environment=metadata.labels.get(ENVIRONMENT, metadata.namespace),
        claim=f"{claim.namespace}/{claim.name}" if claim.name else "",
    )


def _state(metadata: _Metadata, ready: Condition, synced: Condition) -> CompositeState:
    if metadata.deletion_timestamp:
        return CompositeState.DELETING
    if synced.reason == PAUSED:
        return CompositeState.PAUSED
    if synced.status == "False":
        return CompositeState.FAILED
    return CompositeState.READY if ready.status == "True" else CompositeState.PENDING
