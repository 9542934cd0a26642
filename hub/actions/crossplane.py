"""Crossplane: read a composite, or a claim, from the cluster.

API: https://docs.crossplane.io/latest/composition/composite-resources/.
"""

from dataclasses import dataclass
from enum import StrEnum
from typing import ClassVar, Self

from hub.actions.action import Action
from hub.events.crossplane import CompositeChanged


class CompositeState(StrEnum):
    """What a composite's conditions say, in one word."""

    PENDING = "pending"
    """Crossplane is bringing it about."""
    READY = "ready"
    FAILED = "failed"
    """Crossplane cannot bring about what is wanted; it may be ready as it was before."""
    PAUSED = "paused"
    """Somebody has stopped Crossplane on purpose."""
    DELETING = "being deleted"
    GONE = "gone"
    """No such object in the cluster (any more), or one with another uid."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Composite:
    """A composite as the cluster has it now; empty strings where it says nothing."""

    state: CompositeState
    since: str = ""
    """When a condition changed last. RFC 3339."""
    message: str = ""
    """What Crossplane says of it, for people."""
    warning: str = ""
    """The last warning among its Kubernetes Events, where it is not ready: a detail, no truth."""
    owner: str = ""
    """Label `trunkline.dev/owner`: the team whose channel is told."""
    environment: str = ""
    """Label `trunkline.dev/environment`, else the namespace."""
    claim: str = ""
    """The claim that it was made for, `namespace/name`; empty where there is none."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ReadComposite(Action[Composite]):
    """Read a composite: whatever an event says, what the cluster says is the truth."""

    name: ClassVar[str] = "crossplane.read_composite"
    result: ClassVar[type] = Composite
    reads: ClassVar[bool] = True

    group: str
    version: str
    plural: str
    namespace: str
    """Empty for an object of the whole cluster."""
    composite: str
    uid: str

    @classmethod
    def told_of_by(cls, event: CompositeChanged) -> Self:
        """Read the composite that an event tells of."""
        return cls(
            group=event.group,
            version=event.version,
            plural=event.plural,
            namespace=event.namespace,
            composite=event.name,
            uid=event.uid,
        )

    def supposed(self) -> Composite:
        """No such composite."""
        return Composite(state=CompositeState.GONE)
