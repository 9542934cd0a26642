"""What the journal's suites share: a clock, a home for a journal, and short ways to say things."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Protocol

from hub.events.envelope import Envelope
from hub.journal.interface import (
    Claim,
    Finished,
    Journal,
    PlannedRun,
    Records,
    Run,
    RunState,
    Step,
    Wait,
)

SOON = 5.0
"""Seconds after which something that ought to happen at once has not happened."""


@dataclass
class Clock:
    """The time, under the test's control."""

    now: float = 1_800_000_000.0

    def __call__(self) -> float:
        return self.now


class Home(Protocol):
    """A journal that outlives the process that uses it."""

    journal: Journal
    records: Records
    clock: Clock

    async def crash(self) -> None:
        """End the process that owns the journal, and start another: `journal` is a new one."""
        ...


def event(name: str, *, key: str = "company/payments", subject: str | None = None) -> Envelope:
    return Envelope(
        id=name,
        source="https://api.github.com/repos/company/payments",
        type="com.github.push",
        partitionkey=key,
        data=f'{{"name": "{name}"}}'.encode(),
        subject=subject,
    )


def plan(
    name: str, *, lane: str = "a", handler: str = "build", stillborn: str | None = None
) -> PlannedRun:
    return PlannedRun(
        envelope=event(name), handler=handler, lane=f"{handler}/{lane}", stillborn=stillborn
    )


def step(number: int, *, result: str = "null") -> Step:
    return Step(
        number=number,
        name="slack.post",
        action=f'{{"text": "step {number}"}}',
        result=result,
        started_at=10.0,
        finished_at=11.0,
    )


def wait(subject: str, *, number: int = 1) -> Wait:
    return Wait(
        step=number,
        name="wait.for_event",
        action=f'{{"subject": "{subject}"}}',
        awaits_type="dev.tekton.event.pipelinerun.successful.v1",
        awaits_subject=subject,
    )


def awaited(subject: str) -> Envelope:
    return replace(
        event(f"of {subject}", subject=subject), type="dev.tekton.event.pipelinerun.successful.v1"
    )


DONE = Finished(state=RunState.DONE)
DEAD = Finished(state=RunState.DEAD, detail="no such pipeline")


async def claim_all(home: Home, limit: int = 100) -> Sequence[Claim]:
    return await home.journal.claim(worker="one", limit=limit)


async def claim_one(home: Home) -> Claim:
    (claim,) = await claim_all(home, 1)
    return claim


def names(claims: Sequence[Claim]) -> list[str]:
    return [claim.envelope.id for claim in claims]


async def only_run(home: Home) -> Run:
    (run,) = await home.journal.runs()
    return run


async def waiting_for(home: Home, subject: str, *, due_at: float | None = None) -> Claim:
    await home.journal.plan([plan(f"waits for {subject}", lane=subject)])
    claim = await claim_one(home)
    waiting = Finished(state=RunState.WAITING, wait=wait(subject), due_at=due_at)
    await home.journal.finish(claim, waiting)
    return claim


async def until_claimed(home: Home) -> Sequence[Claim]:
    while not (claims := await claim_all(home)):
        await home.journal.wait_for_work(3600)
    return claims
