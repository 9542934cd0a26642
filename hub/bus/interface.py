"""What the log promises, whichever engine keeps it."""

from collections.abc import Sequence
from contextlib import AbstractAsyncContextManager
from dataclasses import dataclass
from typing import NewType, Protocol

from hub.events.envelope import Envelope

Position = NewType("Position", str)
"""Where an event stands on the log, for people and for `Bus.read`; opaque to everybody else."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Stored:
    """The event is durable, and was not known here before.

    A log on one machine knows every event that it keeps. One that many processes append to knows
    what this process appended lately: what is stored twice there has one run all the same.
    """

    position: Position


@dataclass(frozen=True, slots=True, kw_only=True)
class Duplicate:
    """The same event (source, id and body) is durable already."""

    position: Position


@dataclass(frozen=True, slots=True, kw_only=True)
class Conflict:
    """The same source and id is taken by another body. The first stands; nothing was stored."""

    position: Position


Receipt = Stored | Duplicate | Conflict


@dataclass(frozen=True, slots=True, kw_only=True)
class Record:
    """An event on the log."""

    envelope: Envelope
    position: Position
    received_at: float
    """Unix time, in seconds."""


class Subscription(Protocol):
    """One member's view of the log, from where its group has committed.

    Where members share a log, each key is with one of them at a time.
    """

    async def poll(self, limit: int) -> Sequence[Record]:
        """Wait until there are events after the last poll, and return up to `limit` in order."""
        ...

    async def commit(self, records: Sequence[Record]) -> None:
        """Note that the group is done with these records, as polled, and all before them.

        What has meanwhile gone to another member is left to that one, which reads it again.
        """
        ...

    async def lag(self) -> int:
        """How many events the group has not committed yet."""
        ...


class Bus(Protocol):
    """The log."""

    async def append(self, events: Sequence[Envelope]) -> Sequence[Receipt]:
        """Make the events durable, and say for each what came of it, in order.

        A Conflict among them leaves all of them out. Raises StorageError where the log cannot be
        written: then nothing was acknowledged. A log on one machine has stored nothing then; any
        other may hold some of them, and knows them when they are sent again.
        """
        ...

    def subscribe(self, group: str) -> AbstractAsyncContextManager[Subscription]:
        """Join a consumer group for as long as the context is open."""
        ...

    async def find(self, event_id: str) -> Sequence[Record]:
        """Return the events with this id, or whose id starts with it (8 characters at least)."""
        ...

    async def read(self, *, after: Position | None, limit: int) -> Sequence[Record]:
        """Return up to `limit` events after a position, or from the first, in order.

        A log of several partitions has one order for each; between them it is the time's.
        """
        ...

    async def recent(self, limit: int) -> Sequence[Record]:
        """Return the last `limit` events, oldest first."""
        ...

    async def check(self) -> None:
        """Raise StorageError where an append would fail now."""
        ...
