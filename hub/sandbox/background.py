"""`Background`: owns what one part of the world does on its own account, and ends it."""

import asyncio
from collections.abc import Coroutine
from typing import Any


class Background:
    """A set of tasks with one owner. A task that fails is told of by `settled` or `stop`."""

    def __init__(self) -> None:
        self._tasks: set[asyncio.Task[None]] = set()
        self._failures: list[BaseException] = []

    def start(self, work: Coroutine[Any, Any, None]) -> None:
        """Begin, without waiting."""
        task = asyncio.create_task(work)
        self._tasks.add(task)
        task.add_done_callback(self._end)

    async def settled(self) -> None:
        """Wait until nothing is under way, what was begun meanwhile included."""
        while self._tasks:
            await asyncio.wait(self._tasks)
            # The callbacks that empty the set run in the loop's next round.
            await asyncio.sleep(0)
        self._raise()

    async def stop(self) -> None:
        """Cancel everything and wait for its end."""
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)
        await asyncio.sleep(0)
        self._raise()

    def _end(self, task: asyncio.Task[None]) -> None:
        self._tasks.discard(task)
        if not task.cancelled() and (error := task.exception()) is not None:
            self._failures.append(error)

    def _raise(self) -> None:
        failures, self._failures = self._failures, []
        if failures:
            raise failures[0]
