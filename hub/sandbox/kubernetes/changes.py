"""The cluster's memory: every change in order, who watches, and what has been forgotten."""

import asyncio
from collections import deque
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

from hub.sandbox.kubernetes.kinds import Kind, Object

_REMEMBERED = 10_000
"""etcd forgets after five minutes; the sandbox after so many changes."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Change:
    """One object that was created, changed or deleted."""

    version: int
    kind: Kind
    before: Object | None
    after: Object | None

    @property
    def object(self) -> Object:
        """The object as it is now, or as it was last."""
        found = self.after or self.before
        if found is None:
            raise AssertionError("a change has at least one side")
        return found

    @property
    def type(self) -> Literal["ADDED", "MODIFIED", "DELETED"]:
        """What a watch calls it."""
        if self.after is None:
            return "DELETED"
        return "ADDED" if self.before is None else "MODIFIED"


@dataclass(frozen=True, slots=True, kw_only=True)
class Bookmark:
    """Nothing happened; everything up to this version has been told."""

    version: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Expired:
    """The watch cannot go on: what comes next has been forgotten."""

    version: int
    """The one from which it should have gone on."""


@dataclass(frozen=True, slots=True, kw_only=True)
class End:
    """The server closes the watch."""


Told = Change | Bookmark | Expired | End


class Watch:
    """One reader of the changes, from a version on."""

    def __init__(self, backlog: Sequence[Told]) -> None:
        self._queue: asyncio.Queue[Told] = asyncio.Queue()
        for told in backlog:
            self.tell(told)

    def tell(self, told: Told) -> None:
        """Let the reader have this next."""
        self._queue.put_nowait(told)

    async def next(self) -> Told:
        """Wait for what comes next."""
        return await self._queue.get()

    def done(self) -> None:
        """Say that what came last has been dealt with."""
        self._queue.task_done()

    async def caught_up(self) -> None:
        """Wait until all that has been told has been dealt with."""
        await self._queue.join()


class ChangeLog:
    """All changes of a cluster."""

    def __init__(self) -> None:
        self.version = 1
        """Of the last change; every change has one of its own."""
        self._forgotten = 0
        self._changes: deque[Change] = deque()
        self._watches: set[Watch] = set()

    def next_version(self) -> int:
        """Return the version that the next change will have."""
        return self.version + 1

    def append(self, kind: Kind, *, before: Object | None, after: Object | None) -> None:
        """Remember a change, and tell everybody who watches."""
        self.version += 1
        change = Change(version=self.version, kind=kind, before=before, after=after)
        self._changes.append(change)
        if len(self._changes) > _REMEMBERED:
            self._forgotten = self._changes.popleft().version
        self._tell(change)

    def watch(self, since: int) -> Watch:
        """Return a reader of everything after `since`; it is told where that is forgotten."""
        if not self.remembers(since):
            return Watch([Expired(version=since)])
        watch = Watch([change for change in self._changes if change.version > since])
        self._watches.add(watch)
        return watch

    def unwatch(self, watch: Watch) -> None:
        """Tell a reader nothing more."""
        self._watches.discard(watch)

    def remembers(self, version: int) -> bool:
        """Whether everything after this version is known."""
        return version >= self._forgotten

    def bookmark(self) -> None:
        """Send every watch a bookmark."""
        self._tell(Bookmark(version=self.version))

    def compact(self) -> None:
        """Forget every change so far, as etcd does with old ones."""
        self._changes.clear()
        self._forgotten = self.version

    def expire(self) -> None:
        """Compact, and break off every watch with 410 in its stream."""
        self.compact()
        self._tell(Expired(version=self.version))

    def disconnect(self) -> None:
        """Close every watch, as a server does that restarts."""
        self._tell(End())

    def _tell(self, told: Told) -> None:
        for watch in self._watches:
            watch.tell(told)


class Follower:
    """Every change of one kind, what is there first; for the controllers of the world."""

    def __init__(self, log: ChangeLog, kind: Kind, present: Sequence[Object]) -> None:
        self._log = log
        self._kind = kind
        self._watch = log.watch(log.version)
        self._busy = False
        for one in present:
            self._watch.tell(Change(version=log.version, kind=kind, before=None, after=one))

    def __aiter__(self) -> "Follower":
        return self

    async def __anext__(self) -> Change:
        """Return the next change; whoever asks for it is done with the one before."""
        while True:
            if self._busy:
                self._watch.done()
            told = await self._watch.next()
            self._busy = True
            if isinstance(told, Change) and told.kind == self._kind:
                return told

    async def caught_up(self) -> None:
        """Wait until every change so far has been dealt with."""
        await self._watch.caught_up()

    def close(self) -> None:
        """Follow no longer."""
        self._log.unwatch(self._watch)
