"""Waiting, as an action whose result arrives later. The run holds its lane meanwhile.

Nothing is performed: the runner lets go of the run, and the journal makes it ready again when the
event comes or the time is up. An event that came before the run began to wait is not seen, so look
at the state of things first.
"""

from dataclasses import dataclass
from typing import ClassVar

from hub.actions.action import Action


@dataclass(frozen=True, slots=True, kw_only=True)
class AwaitedEvent:
    """The event that came."""

    id: str
    source: str
    type: str
    subject: str
    data: str


@dataclass(frozen=True, slots=True, kw_only=True)
class WaitForEvent(Action[AwaitedEvent | None]):
    """Wait for an event of this type and subject; None when none came until `until`."""

    name: ClassVar[str] = "wait.for_event"
    result: ClassVar[object] = AwaitedEvent | None

    type: str
    subject: str
    until: float
    """Unix time, taken from the event that is handled, so that every attempt says the same."""

    def supposed(self) -> AwaitedEvent | None:
        """None came."""
        return None


@dataclass(frozen=True, slots=True, kw_only=True)
class WaitUntil(Action[None]):
    """Wait for a time."""

    name: ClassVar[str] = "wait.until"
    result: ClassVar[object] = None

    at: float
    """Unix time."""

    def supposed(self) -> None:
        """The time has come."""
