"""What the hub does for itself: emits events, keeps deployments, tells of dead letters."""

from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime

from pydantic import TypeAdapter

from hub.actions.action import Call, Performers
from hub.actions.hub import (
    Emit,
    FindRevision,
    ReadDeployment,
    ReadEvent,
    RecordBuild,
    RecordSighting,
)
from hub.bus.interface import Bus
from hub.dispatch.outcome import Dead, Parked
from hub.errors import PermanentError, TemporaryError
from hub.events.deployment import Deployment
from hub.events.envelope import MAX_HOPS, Envelope
from hub.events.identity import derive_id
from hub.events.trunkline import RunDeadLettered
from hub.journal.interface import Claim, Journal, Records

_DEPLOYMENT = TypeAdapter(Deployment)

_ROUNDS = 20
"""Lost races for one record before the run is retried: more means something else is wrong."""


@dataclass(frozen=True, slots=True, kw_only=True)
class OwnActions:
    """Performs the actions of `hub.actions.hub`."""

    bus: Bus
    journal: Journal
    records: Records
    instance: str
    clock: Callable[[], float]

    def performers(self) -> Performers:
        """Return which action is performed by what."""
        return {
            Emit: self.emit,
            ReadEvent: self.read_event,
            RecordBuild: self.record_build,
            RecordSighting: self.record_sighting,
            ReadDeployment: self.read_deployment,
            FindRevision: self.find_revision,
        }

    async def emit(self, action: Emit, call: Call) -> None:
        """Append an event whose id is derived from the step, so that a repeat is a duplicate.

        Raises PermanentError after MAX_HOPS events that caused one another.
        """
        await self._append(action, cause=call.event, event_id=call.key)

    async def bury(self, claim: Claim, outcome: Dead | Parked) -> None:
        """Emit that a run is dead or parked; not about an event that says just that."""
        event = claim.envelope
        if event.type in RunDeadLettered.types or event.hubhops >= MAX_HOPS:
            return
        said = RunDeadLettered(
            handler=claim.handler,
            event_id=event.id,
            event_source=event.source,
            event_type=event.type,
            state="dead" if isinstance(outcome, Dead) else "parked",
            error=outcome.error if isinstance(outcome, Dead) else outcome.reason,
            attempts=claim.attempt,
        )
        await self._append(
            Emit.of(said, subject=claim.handler),
            cause=event,
            event_id=derive_id(event.source, event.id, claim.handler, "dead", str(claim.token)),
        )

    async def _append(self, said: Emit, *, cause: Envelope, event_id: str) -> None:
        if cause.hubhops >= MAX_HOPS:
            raise PermanentError(
                f"{MAX_HOPS} events have caused one another: {said.type} is not emitted, "
                "for this looks like a loop"
            )
        await self.bus.append(
            [
                Envelope(
                    id=event_id,
                    source=f"/trunkline/{self.instance}",
                    type=said.type,
                    partitionkey=cause.partitionkey,
                    data=said.data.encode(),
                    subject=said.subject,
                    time=as_time(self.clock()),
                    traceparent=cause.traceparent,
                    hubhops=cause.hubhops + 1,
                )
            ]
        )

    async def read_event(self, action: ReadEvent, _call: Call) -> str | None:
        """Return the data of the event, which the journal has beside its runs."""
        for run in await self.journal.runs(event=(action.source, action.id), limit=1):
            if (found := await self.journal.run(run.id)) is not None:
                return found[1].data.decode("utf-8", "replace")
        return None

    async def record_sighting(self, action: RecordSighting, _call: Call) -> None:
        """Merge the sighting into the deployment's record."""
        for _ in range(_ROUNDS):
            known, version = await self._known(action)
            merged = known.seen(action.sighting)
            if merged == known:
                return
            value = _DEPLOYMENT.dump_json(merged).decode()
            if await self.records.put("deployment", known.key, value, expected=version):
                return
        raise TemporaryError(f"a record changed {_ROUNDS} times while it was written")

    async def read_deployment(self, action: ReadDeployment, _call: Call) -> Deployment:
        """Return the deployment's record."""
        return (await self._known(action))[0]

    async def _known(self, named: RecordSighting | ReadDeployment) -> tuple[Deployment, int]:
        """Return what is known of a deployment, and the version of its record."""
        nothing = Deployment(
            service=named.service, environment=named.environment, revision=named.revision
        )
        kept = await self.records.get("deployment", nothing.key)
        if kept is None:
            return nothing, 0
        return _DEPLOYMENT.validate_json(kept.value), kept.version

    async def record_build(self, action: RecordBuild, _call: Call) -> None:
        """Keep the source commit of an image; what is kept already stands."""
        await self.records.put("build", _build(action), action.revision, expected=0)

    async def find_revision(self, action: FindRevision, _call: Call) -> str | None:
        """Look up the source commit of an image that has been bumped."""
        kept = await self.records.get("build", _build(action))
        return kept.value if kept else None


def _build(named: RecordBuild | FindRevision) -> str:
    return f"{named.service}/{named.digest}"


def as_time(moment: float) -> str:
    """Write a Unix time as RFC 3339 in UTC, to the second."""
    return datetime.fromtimestamp(moment, UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
