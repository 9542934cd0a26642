"""How a handler's attempt ended, as a value."""

from dataclasses import dataclass

from hub.journal.interface import Wait


@dataclass(frozen=True, slots=True)
class Done:
    """Everything was done."""


@dataclass(frozen=True, slots=True)
class Skipped:
    """There was nothing to do, for this reason. The only outcome that a handler returns itself."""

    reason: str


@dataclass(frozen=True, slots=True)
class Retry:
    """It failed for now; it is tried again at `due_at` (Unix time)."""

    error: str
    due_at: float


@dataclass(frozen=True, slots=True)
class Waiting:
    """It waits for an event, a time, or the first of both."""

    due_at: float | None
    wait: Wait | None = None


@dataclass(frozen=True, slots=True)
class Dead:
    """It failed for good: a dead letter."""

    error: str


@dataclass(frozen=True, slots=True)
class Parked:
    """It cannot go on by itself, and going on could do harm; somebody has to look."""

    reason: str


Outcome = Done | Skipped | Retry | Waiting | Dead | Parked
