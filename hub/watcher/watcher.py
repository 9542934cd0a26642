"""`Watcher`: watches every kind that the settings mean, while this process is the one to do so."""

import asyncio
from collections.abc import Awaitable, Callable, Sequence

import structlog

from hub.errors import PermanentError, TemporaryError
from hub.watcher.lease import Election
from hub.watcher.memory import Memory
from hub.watcher.reflector import PACE, Reflector, Surroundings
from hub.watcher.watched import WatchedKind

LOOK_SECONDS = 60.0
"""Between two looks at which kinds there are: how long a new one may have to wait."""

OVERDUE_SECONDS = 5.0
"""Between two looks at what has waited for too long."""

_log = structlog.get_logger()


class Watcher:
    """Watches. What it knows of the objects outlives a lease that was lost and won again."""

    def __init__(
        self,
        *,
        find: Callable[[], Awaitable[Sequence[WatchedKind]]],
        election: Election,
        around: Surroundings,
        remember: Callable[[], Memory],
    ) -> None:
        """Keep what it is made of.

        `find` returns the kinds to be watched now, and raises TemporaryError, PermanentError;
        `remember` makes the memory for a kind that was not watched before.
        """
        self._find = find
        self._election = election
        self._around = around
        self._remember = remember
        self._memories: dict[str, Memory] = {}
        self._reflecting: dict[WatchedKind, tuple[Reflector, asyncio.Task[None]]] = {}
        self._said = ""

    async def run(self) -> None:
        """Watch until cancelled. Raises only what is a bug."""
        await self._election.lead(
            self._watch, told=lambda leads: self._around.metrics.leading(is_leading=leads)
        )

    async def _watch(self) -> None:
        try:
            async with asyncio.TaskGroup() as group:
                group.create_task(self._tell_overdue(), name="overdue")
                await self._keep_up(group)
        finally:
            self._reflecting.clear()

    async def _keep_up(self, group: asyncio.TaskGroup) -> None:
        failed = 0
        while True:
            try:
                wanted = await self._find()
            except (TemporaryError, PermanentError) as error:
                self._say(str(error))
                failed += 1
                seconds = PACE.delay(failed, after=None, chance=self._around.chance)
            else:
                self._said = ""
                failed, seconds = 0, LOOK_SECONDS
                self._match({kind.name: kind for kind in wanted}, group)
            await self._around.sleep(seconds or 0.0)

    def _match(self, wanted: dict[str, WatchedKind], group: asyncio.TaskGroup) -> None:
        """Begin and end reflectors, so that there is one for each kind that is wanted."""
        kinds = set(wanted.values())
        for kind in [kind for kind in self._reflecting if kind not in kinds]:
            self._reflecting.pop(kind)[1].cancel()
            if kind.name not in wanted:
                self._around.metrics.left(kind=kind.name)
            _log.info("kind_left", kind=kind.name)
        for kind in kinds - self._reflecting.keys():
            memory = self._memories.setdefault(kind.name, self._remember())
            reflector = Reflector(kind, memory, self._around)
            task = group.create_task(reflector.run(), name=f"watch {kind.name}")
            self._reflecting[kind] = (reflector, task)
            self._around.metrics.watched(kind=kind.name, wall=self._around.wall())
            _log.info("kind_watched", kind=kind.name)

    async def _tell_overdue(self) -> None:
        while True:
            await self._around.sleep(OVERDUE_SECONDS)
            for reflector, _ in list(self._reflecting.values()):
                await reflector.tell_overdue()

    def _say(self, error: str) -> None:
        level = _log.debug if error == self._said else _log.warning
        level("kinds_not_found", error=error)
        self._said = error
