"""The tasks that a process lives by: where one of them ends, the process does."""

import asyncio
from collections.abc import Coroutine
from contextlib import AsyncExitStack
from typing import Any


class Tasks:
    """Starts tasks, and cancels each when the stack comes to it."""

    def __init__(self, stack: AsyncExitStack) -> None:
        self._stack = stack
        self._tasks: list[asyncio.Task[None]] = []

    def start(self, work: Coroutine[Any, Any, None], name: str) -> None:
        """Start a task that is to run as long as the process."""
        task = asyncio.create_task(work, name=name)
        self._tasks.append(task)
        self._stack.push_async_callback(_cancel, task)

    def ended(self) -> list[str]:
        """Return the names of those that have ended."""
        return [task.get_name() for task in self._tasks if task.done()]

    async def run_until(self, stop: asyncio.Event) -> None:
        """Return when `stop` is set. Raises what has ended one of the tasks."""
        stopped = asyncio.create_task(stop.wait(), name="stop")
        try:
            await asyncio.wait([stopped, *self._tasks], return_when=asyncio.FIRST_COMPLETED)
        finally:
            stopped.cancel()
        for task in self._tasks:
            if task.done():
                task.result()


async def _cancel(task: asyncio.Task[None]) -> None:
    task.cancel()
    await asyncio.wait([task])
