"""Keeps up with the objects of one kind: lists them, and then follows their changes.

The protocol is that of https://kubernetes.io/docs/reference/using-api/api-concepts/. Where changes
were forgotten (410), everything is listed again and compared with what is remembered: what is
missing was deleted. Nothing is asked more often than a policy allows, whatever is answered.
"""

import asyncio
import random
from collections import Counter
from collections.abc import AsyncGenerator, Awaitable, Callable, Sequence
from contextlib import aclosing
from dataclasses import dataclass

import structlog

from hub.clients.kubernetes import (
    Bookmark,
    Changed,
    Kubernetes,
    Removed,
    Told,
    WatchExpired,
    name_of,
)
from hub.dispatch.retry import RetryPolicy
from hub.errors import Malformed, PermanentError, TemporaryError
from hub.events.envelope import Envelope
from hub.sources.interface import Seen, Sighting
from hub.watcher.memory import Memory
from hub.watcher.metrics import WatcherMetrics
from hub.watcher.telling import Telling
from hub.watcher.watched import WatchedKind

Sleep = Callable[[float], Awaitable[object]]

PACE = RetryPolicy(attempts=1 << 30, base_seconds=1.0, cap_seconds=30.0)
"""Between two tries that came to nothing: ten a minute at first, four later."""

SOUND_SECONDS = 10.0
"""A watch that lasted so long was one, however it ended. One that ends sooner is a failure."""

_log = structlog.get_logger()


@dataclass(frozen=True, slots=True, kw_only=True)
class Surroundings:
    """What all reflectors share."""

    cluster: str
    kubernetes: Kubernetes
    telling: Telling
    metrics: WatcherMetrics
    wall: Callable[[], float]
    monotonic: Callable[[], float]
    chance: random.Random
    sleep: Sleep = asyncio.sleep


class Reflector:
    """Tells of one kind until cancelled. Its memory may be that of one before it."""

    def __init__(self, kind: WatchedKind, memory: Memory, around: Surroundings) -> None:
        self._kind = kind
        self._memory = memory
        self._around = around
        self._failed = Counter[str]()
        """How often in a row, for each reason: a server that answers again is soon asked again."""
        self._said = ""
        self._is_doubtful = False
        """Whether the last watch failed or said nothing."""

    async def run(self) -> None:
        """List, watch, and begin again where that is needed."""
        since = ""
        while True:
            try:
                since = since or await self._list()
                since = await self._follow(since)
            except WatchExpired:
                since = ""
                await self._rest("expired", None)
            except TemporaryError as error:
                await self._rest("failed", error, after=error.after)
            except PermanentError as error:
                await self._rest("refused", error)

    async def _list(self) -> str:
        """Tell of all objects, and of what is no more; return the version to watch from."""
        present: set[str] = set()
        after = ""
        while True:
            page = await self._around.kubernetes.page(
                self._kind.found.resource, namespace=self._kind.namespace, after=after
            )
            present |= await self._tell_all(page.items)
            if not page.after:
                break
            after = page.after
        for name in self._memory.missing(present):
            await self._bury(name)
        self._heard()
        self._is_doubtful = False
        return page.version

    async def _follow(self, since: str) -> str:
        """Tell of changes until the watch ends; return the version that the next one goes on from.

        A watch that failed is taken up again where it was: only WatchExpired is raised.
        """
        await self._check(since)
        began = self._around.monotonic()
        failure: TemporaryError | None = None
        self._is_doubtful = is_silent = True
        try:
            async with aclosing(self._watch(since)) as changes:
                async for told in changes:
                    await self._take(told)
                    since, is_silent = told.version or since, False
            self._is_doubtful = is_silent
        except WatchExpired:
            raise
        except TemporaryError as error:
            failure = error
        if self._around.monotonic() - began >= SOUND_SECONDS:
            self._failed.clear()
            self._said = ""
        else:
            await self._rest("failed", failure, after=failure.after if failure else None)
        return since

    async def _check(self, since: str) -> None:
        """Raise WatchExpired where a watch would wait for what happened already.

        An API server whose store was taken back to an earlier state counts on from there, and says
        nothing until it has come to the version that it is asked for.
        """
        if not self._is_doubtful:
            return
        now = await self._around.kubernetes.version(
            self._kind.found.resource, namespace=self._kind.namespace
        )
        self._heard()
        if now.isdecimal() and since.isdecimal() and int(now) < int(since):
            raise WatchExpired("the API server has gone back in time")

    def _watch(self, since: str) -> AsyncGenerator[Told]:
        return self._around.kubernetes.watch(
            self._kind.found.resource, namespace=self._kind.namespace, since=since
        )

    async def _take(self, told: Told) -> None:
        match told:
            case Changed(body=body):
                await self._tell_all([body])
            case Removed(body=body):
                await self._tell_all([body])
                await self._bury(name_of(body))
            case Bookmark():
                pass
        self._heard()

    async def _tell_all(self, bodies: Sequence[bytes]) -> set[str]:
        """Tell what is new of these objects, and return their names."""
        sights = {name_of(body): self._see(body) for body in bodies}
        seen = {name: one for name, one in sights.items() if one is not None}
        wall = self._around.wall()
        news = [e for name, one in seen.items() for e in self._memory.news(name, one, wall=wall)]
        await self._tell(news)
        for name, one in seen.items():
            self._memory.keep(name, one)
        return set(sights)

    def _see(self, body: bytes) -> Seen | None:
        found = self._kind.found
        sighting = Sighting(
            cluster=self._around.cluster,
            group=found.resource.group,
            version=found.resource.version,
            plural=found.resource.plural,
            kind=found.kind,
            body=body,
        )
        try:
            return self._kind.see(sighting)
        except Malformed as error:
            self._around.metrics.unreadable(kind=self._kind.name)
            _log.warning(
                "object_not_read", kind=self._kind.name, name=name_of(body), reason=str(error)
            )
            return None

    async def tell_overdue(self) -> None:
        """Tell of what has waited for too long."""
        for name, overdue in self._memory.overdue(wall=self._around.wall()):
            await self._tell([overdue.event])
            self._memory.keep_warned(name, overdue)

    async def _bury(self, name: str) -> None:
        await self._tell(list(self._memory.farewell(name)))
        self._memory.forget(name)

    async def _tell(self, events: Sequence[Envelope]) -> None:
        if events:
            new = await self._around.telling.tell(events)
            self._around.metrics.told(kind=self._kind.name, events=new)

    def _heard(self) -> None:
        self._around.metrics.heard(
            kind=self._kind.name, wall=self._around.wall(), objects=len(self._memory)
        )

    async def _rest(self, why: str, error: Exception | None, *, after: float | None = None) -> None:
        """Note that something came to nothing, and leave the API server alone for a while."""
        self._failed[why] += 1
        self._around.metrics.interrupted(kind=self._kind.name, why=why)
        said = str(error or f"the watch {why}")
        # An API server that is away for an hour is told of once, for each reason.
        level = _log.debug if said == self._said else _log.warning
        level("watch_interrupted", kind=self._kind.name, why=why, error=said)
        self._said = said
        seconds = PACE.delay(self._failed[why], after=after, chance=self._around.chance)
        await self._around.sleep(seconds or 0.0)
