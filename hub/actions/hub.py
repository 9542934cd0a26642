"""What the hub does for itself: emit an event, keep a deployment's state."""

from dataclasses import dataclass
from typing import ClassVar, Self

from hub.actions.action import Action
from hub.events.deployment import Deployment, Sighting
from hub.events.trunkline import HubView


@dataclass(frozen=True, slots=True, kw_only=True)
class Emit(Action[None]):
    """Put an event of the hub's own on the log, its id derived from the cause, handler and step."""

    name: ClassVar[str] = "hub.emit"
    result: ClassVar[object] = None

    type: str
    """`dev.trunkline.<subject>.<past participle>.v1`."""
    subject: str
    data: str
    """JSON."""

    @classmethod
    def of(cls, said: HubView, *, subject: str) -> Self:
        """Emit one of the hub's own views, under its type."""
        return cls(type=said.types[0], subject=subject, data=said.to_json())

    def supposed(self) -> None:
        """Nothing comes back."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ReadEvent(Action[str | None]):
    """Read the data of an event that there is a run for, as text; None where it is forgotten."""

    name: ClassVar[str] = "hub.read_event"
    result: ClassVar[object] = str | None
    reads: ClassVar[bool] = True

    id: str
    source: str

    def supposed(self) -> str | None:
        """No such event."""
        return None


@dataclass(frozen=True, slots=True, kw_only=True)
class RecordBuild(Action[None]):
    """Remember which source commit an image was built from. The first to say so is right."""

    name: ClassVar[str] = "hub.record_build"
    result: ClassVar[object] = None

    service: str
    digest: str
    revision: str

    def supposed(self) -> None:
        """Nothing comes back."""


@dataclass(frozen=True, slots=True, kw_only=True)
class RecordSighting(Action[None]):
    """Add what was just seen of a deployment to what is known of it.

    Merging is commutative and idempotent, so late and repeated sightings do no harm.
    """

    name: ClassVar[str] = "hub.record_sighting"
    result: ClassVar[object] = None

    service: str
    environment: str
    revision: str
    sighting: Sighting

    def supposed(self) -> None:
        """Nothing comes back."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ReadDeployment(Action[Deployment]):
    """Read all that is known of a deployment by now."""

    name: ClassVar[str] = "hub.read_deployment"
    result: ClassVar[type] = Deployment
    reads: ClassVar[bool] = True

    service: str
    environment: str
    revision: str

    def supposed(self) -> Deployment:
        """A deployment of which nothing is known."""
        return Deployment(
            service=self.service, environment=self.environment, revision=self.revision
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class FindRevision(Action[str | None]):
    """Find the source commit that an image of a service was built from."""

    name: ClassVar[str] = "hub.find_revision"
    result: ClassVar[object] = str | None
    reads: ClassVar[bool] = True

    service: str
    digest: str

    def supposed(self) -> str | None:
        """Unknown."""
        return None
