"""The way of one revision, stage by stage, as the log tells it."""

from collections.abc import AsyncIterator
from dataclasses import dataclass

from hub.bus.interface import Bus, Record
from hub.events.deployment import Stage
from hub.events.github import Push
from hub.events.trunkline import DeploymentChanged


@dataclass(frozen=True, slots=True, kw_only=True)
class Arrival:
    """A push, or a deployment's arrival at a stage."""

    at: float
    """When it was on the log: Unix time, in seconds."""
    revision: str
    environment: str
    """Empty for the push."""
    stage: Stage | None
    """None for the push."""
    detail: str
    record: Record


async def follow(bus: Bus, *, pause: AsyncIterator[None]) -> AsyncIterator[Arrival]:
    """Yield every arrival on the log from now on; `pause` paces the looks at it."""
    recent = await bus.recent(1)
    last = recent[-1].position if recent else None
    async for _ in pause:
        for record in await bus.read(after=last, limit=1000):
            last = record.position
            arrival = _arrival(record)
            if arrival is not None:
                yield arrival


def _arrival(record: Record) -> Arrival | None:
    envelope = record.envelope
    if envelope.type in Push.types:
        push = Push.read(envelope)
        return Arrival(
            at=record.received_at,
            revision=push.after,
            environment="",
            stage=None,
            detail=envelope.hubkey or "",
            record=record,
        )
    if envelope.type in DeploymentChanged.types:
        change = DeploymentChanged.read(envelope)
        return Arrival(
            at=record.received_at,
            revision=change.revision,
            environment=change.environment,
            stage=change.stage,
            detail=change.detail,
            record=record,
        )
    return None
