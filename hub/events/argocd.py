"""An Argo CD Application as events: the same ones whoever saw it.

A notification and a sweep look at the same object, so the event's type, id and source are derived
from the object alone. Its fields are described at
https://argo-cd.readthedocs.io/en/stable/operator-manual/application.yaml.
"""

from dataclasses import dataclass
from typing import Annotated, ClassVar

from pydantic import AliasChoices, AliasPath, BeforeValidator, Field

from hub.events.attributes import checked
from hub.events.envelope import Envelope
from hub.events.identity import derive_id
from hub.events.kubernetes import Text, none_for_null
from hub.events.types import (
    APPLICATION_CREATED,
    APPLICATION_DEPLOYED,
    HEALTH_DEGRADED,
    HEALTH_HEALTHY,
    HEALTH_MISSING,
    HEALTH_PROGRESSING,
    HEALTH_SUSPENDED,
    HEALTH_UNKNOWN,
    SYNC_FAILED,
    SYNC_RUNNING,
    SYNC_SUCCEEDED,
    SYNC_TERMINATING,
)
from hub.events.view import View

_PHASES = {
    "Running": SYNC_RUNNING,
    "Succeeded": SYNC_SUCCEEDED,
    "Failed": SYNC_FAILED,
    "Error": SYNC_FAILED,
    "Terminating": SYNC_TERMINATING,
}
_HEALTH = {
    "Healthy": HEALTH_HEALTHY,
    "Progressing": HEALTH_PROGRESSING,
    "Degraded": HEALTH_DEGRADED,
    "Suspended": HEALTH_SUSPENDED,
    "Missing": HEALTH_MISSING,
    "Unknown": HEALTH_UNKNOWN,
}
REQUESTS_OF = "trunkline.dev/requests-of"
"""The label of an Application that asks Crossplane for something: for which service."""

_DNS_NAME = r"^[a-z0-9]([a-z0-9.-]{0,251}[a-z0-9])?$"


def _at(*path: str) -> AliasChoices:
    """Find a field in our template's `app`, or in the object itself as Kubernetes has it."""
    return AliasChoices(AliasPath("app", *path), AliasPath(*path))


Revisions = Annotated[tuple[str, ...], BeforeValidator(none_for_null)]


class ApplicationChanged(View):
    """An Application's operation or health has changed. Unsigned, so a hint: ask the cluster.

    Empty strings where the object says nothing: it may have no operation, health or source yet.
    """

    types: ClassVar[tuple[str, ...]] = (*dict.fromkeys(_PHASES.values()), *_HEALTH.values())

    kind: Text = Field("", validation_alias=_at("kind"))
    namespace: str = Field(
        "argocd", validation_alias=_at("metadata", "namespace"), pattern=_DNS_NAME
    )
    """Argo CD's own namespace, unless Applications are allowed in others."""
    application: str = Field(validation_alias=_at("metadata", "name"), pattern=_DNS_NAME)
    uid: Text = Field("", validation_alias=_at("metadata", "uid"))
    created_at: Text = Field("", validation_alias=_at("metadata", "creationTimestamp"))
    project: Text = Field("", validation_alias=_at("spec", "project"))
    requests_of: Text = Field("", validation_alias=_at("metadata", "labels", REQUESTS_OF))
    """The service that asks Crossplane for something by it; empty for what deploys one."""
    sync: Text = Field("", validation_alias=_at("status", "sync", "status"))
    """Synced, OutOfSync, Unknown."""
    phase: Text = Field("", validation_alias=_at("status", "operationState", "phase"))
    """Of the last operation: Running, Succeeded, Failed, Error, Terminating."""
    started_at: Text = Field("", validation_alias=_at("status", "operationState", "startedAt"))
    finished_at: Text = Field("", validation_alias=_at("status", "operationState", "finishedAt"))
    message: Text = Field("", validation_alias=_at("status", "operationState", "message"))
    """What Argo CD says of the last operation, for people."""
    health: Text = Field("", validation_alias=_at("status", "health", "status"))
    """Healthy, Progressing, Degraded, Suspended, Missing, Unknown."""
    health_since: Text = Field("", validation_alias=_at("status", "health", "lastTransitionTime"))
    health_message: Text = Field("", validation_alias=_at("status", "health", "message"))
    one_revision: Text = Field(
        "", validation_alias=_at("status", "operationState", "syncResult", "revision")
    )
    many_revisions: Revisions = Field(
        (), validation_alias=_at("status", "operationState", "syncResult", "revisions")
    )

    @property
    def revisions(self) -> tuple[str, ...]:
        """The commits that the last operation synced, one for each of the Application's sources."""
        return self.many_revisions or ((self.one_revision,) if self.one_revision else ())

    @property
    def revision(self) -> str:
        """The commit of the first source that the last operation synced."""
        return self.revisions[0] if self.revisions else ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Change:
    """Something that happened to an Application: the event's type, id and time."""

    type: str
    id: str
    at: str
    """RFC 3339; empty where the object does not say."""


def operation_change(app: ApplicationChanged) -> Change | None:
    """Return what the last operation has come to; None where there is none.

    Each operation has its own start, so syncing the same commit again is another event.
    """
    if app.phase not in _PHASES:
        return None
    return Change(
        type=_PHASES[app.phase],
        id=derive_id(_identity(app), app.started_at, app.phase),
        at=app.finished_at or app.started_at,
    )


def health_change(app: ApplicationChanged) -> Change | None:
    """Return what the health has become; None where it is not known.

    Older versions of Argo CD do not say since when. Then the operation before it tells one time of
    being degraded from the next.
    """
    if app.health not in _HEALTH:
        return None
    since = app.health_since or app.started_at
    return Change(
        type=_HEALTH[app.health], id=derive_id(_identity(app), app.health, since), at=since
    )


def deployed_change(app: ApplicationChanged) -> Change | None:
    """Return that the last operation is in the cluster and healthy; None where it is not."""
    if app.phase != "Succeeded" or app.health != "Healthy":
        return None
    return Change(
        type=APPLICATION_DEPLOYED,
        id=derive_id(_identity(app), "deployed", app.started_at),
        at=max(app.finished_at, app.health_since),
    )


def created_change(app: ApplicationChanged) -> Change:
    """Return that the Application was created."""
    return Change(
        type=APPLICATION_CREATED, id=derive_id(_identity(app), "created"), at=app.created_at
    )


def latest_change(app: ApplicationChanged) -> Change | None:
    """Return the later of operation and health; None where there is neither."""
    changes = [one for one in (operation_change(app), health_change(app)) if one is not None]
    return max(changes, key=lambda one: one.at, default=None)


def envelope(
    app: ApplicationChanged, change: Change, *, data: bytes, hubkey: str | None
) -> Envelope:
    """Return the event for a change. Raises Malformed where the object cannot be named in one."""
    return checked(
        Envelope(
            id=change.id,
            source=f"/argocd/{app.namespace}/{app.application}",
            type=change.type,
            subject=app.application,
            time=change.at or None,
            partitionkey=app.application,
            data=data,
            hubkey=hubkey,
        )
    )


def _identity(app: ApplicationChanged) -> str:
    return app.uid or f"{app.namespace}/{app.application}"
