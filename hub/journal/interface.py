"""What the journal promises, whichever engine keeps it."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import NewType, Protocol

from hub.events.envelope import Envelope

RunId = NewType("RunId", int)


class RunState(StrEnum):
    """Where a run stands. `READY`, `RUNNING`, `RETRYING` and `WAITING` hold their lane."""

    READY = "ready"
    RUNNING = "running"
    RETRYING = "retrying"
    WAITING = "waiting"
    DONE = "done"
    SKIPPED = "skipped"
    DEAD = "dead"
    """A dead letter: its error and attempts stand in the journal until somebody replays it."""
    PARKED = "parked"
    """It cannot go on by itself: its steps differ from the journalled ones, or its handler is
    gone. Listed with the dead letters."""

    @property
    def ended(self) -> bool:
        """Whether nothing more happens by itself."""
        return self in {RunState.DONE, RunState.SKIPPED, RunState.DEAD, RunState.PARKED}


@dataclass(frozen=True, slots=True, kw_only=True)
class PlannedRun:
    """A run that the router wants: one handler for one event.

    `lane` is the handler and the key: its runs execute in the order of planning, one at a time.
    """

    envelope: Envelope
    handler: str
    lane: str
    stillborn: str | None = None
    """Why it can never run (its data cannot be read); it is written as dead at once."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Step:
    """One action of a run that was done, with its result as JSON."""

    number: int
    name: str
    """The action's name."""
    action: str
    result: str
    started_at: float
    finished_at: float


@dataclass(frozen=True, slots=True, kw_only=True)
class Claim:
    """The right to execute one run. Whoever holds an older `token` can no longer write to it."""

    run: RunId
    token: int
    envelope: Envelope
    handler: str
    lane: str
    attempt: int
    """1 for the first. Counted when claimed, so that a crash counts too."""
    steps: tuple[Step, ...]
    """What earlier attempts have done."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Wait:
    """The step that a WAITING run stands at: the event with this type and subject is its result."""

    step: int
    name: str
    action: str
    awaits_type: str
    awaits_subject: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Finished:
    """How an attempt ended: the state the run goes to, and what there is to say about it."""

    state: RunState
    """Any but READY and RUNNING."""
    detail: str = ""
    """The reason it was skipped, the error, what it waits for."""
    due_at: float | None = None
    """Unix time: when a RETRYING run is due, or a WAITING one gives up waiting."""
    wait: Wait | None = None
    """The event that a WAITING run waits for; None where it waits for a time only."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Attempt:
    """One attempt at a run that has ended."""

    number: int
    started_at: float
    finished_at: float
    outcome: RunState
    detail: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Run:
    """A run as the journal has it, for people."""

    id: RunId
    event_id: str
    event_source: str
    event_type: str
    handler: str
    lane: str
    state: RunState
    detail: str
    attempts: int
    planned_at: float
    finished_at: float | None
    due_at: float | None


class Journal(Protocol):
    """The journal."""

    async def plan(self, runs: Sequence[PlannedRun]) -> None:
        """Write runs that are not there yet, in order. Key: (handler, source, id)."""
        ...

    async def wake(self, envelope: Envelope, result: Callable[[], str]) -> None:
        """Make ready every run that waits for this event, with `result()` as its step's result.

        Asked for every event, so an event that nobody waits for costs next to nothing.
        """
        ...

    async def claim(self, *, worker: str, limit: int) -> Sequence[Claim]:
        """Take up to `limit` runs that are due, each the first unfinished one of its lane.

        Lanes are served oldest first. Never waits; returns nothing where nothing is due.
        """
        ...

    def holds(self, claim: Claim) -> bool:
        """Say whether the claim is good as far as this process knows, without asking anybody.

        It is asked before each effect, so that a worker that was paused for longer than its lease
        does nothing more for a run that others have taken over.
        """
        ...

    async def wait_for_work(self, timeout: float) -> None:
        """Return when a run may have become due, or after `timeout` seconds."""
        ...

    async def record_steps(self, claim: Claim, steps: Sequence[Step]) -> None:
        """Note steps as done, all or none. Raises ClaimLost."""
        ...

    async def finish(self, claim: Claim, finished: Finished) -> None:
        """End the attempt, and free the lane where the run has ended. Raises ClaimLost."""
        ...

    async def release(self, claim: Claim) -> None:
        """Give a run back unfinished, as at a shutdown; the attempt does not count."""
        ...

    async def replay(self, run: RunId, *, again: bool) -> bool:
        """Make a dead or parked run ready once more, its attempts counted from 0.

        With `again` also one that is done or skipped, and its journalled steps are forgotten, so
        that its effects are attempted anew (their targets keep them single). Returns whether the
        run was in a state for that.
        """
        ...

    async def runs(
        self,
        *,
        states: Sequence[RunState] = (),
        handler: str | None = None,
        event: tuple[str, str] | None = None,
        limit: int = 100,
    ) -> Sequence[Run]:
        """Return the newest runs, newest first; `event` is (source, id)."""
        ...

    async def run(self, run: RunId) -> tuple[Run, Envelope] | None:
        """Return one run and its event."""
        ...

    async def attempts(self, run: RunId) -> Sequence[Attempt]:
        """Return the attempts at a run that have ended."""
        ...

    async def steps(self, run: RunId) -> Sequence[Step]:
        """Return the steps of a run that are done."""
        ...

    async def counts(self) -> Mapping[RunState, int]:
        """Return how many runs stand in each state, without counting rows."""
        ...

    async def prune(self, *, runs_before: float, keys_before: float, limit: int) -> int:
        """Forget up to `limit` runs that were done or skipped before a time; return how many.

        Their keys stay until `keys_before`, so that the same event makes no second run. Both are
        Unix times. Dead letters stay, and whatever has not ended. To be called again until it
        returns less than `limit`.
        """
        ...


@dataclass(frozen=True, slots=True, kw_only=True)
class Versioned:
    """A record's value with its version; the first is 1."""

    value: str
    version: int


class Records(Protocol):
    """Small named values that outlive runs: a deployment's state, where a message was posted."""

    async def get(self, kind: str, key: str) -> Versioned | None:
        """Return the record, if there is one."""
        ...

    async def put(self, kind: str, key: str, value: str, *, expected: int) -> bool:
        """Write it if its version is still `expected` (0: not there yet); say whether it was."""
        ...
