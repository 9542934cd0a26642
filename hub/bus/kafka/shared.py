"""Work that many ask for at once and that is done once for all of them."""

import asyncio
from collections.abc import Callable, Coroutine
from typing import Any, Generic, TypeVar

T = TypeVar("T")


class Shared(Generic[T]):
    """Does the work when it is asked for, unless it is being done already."""

    def __init__(self, work: Callable[[], Coroutine[Any, Any, T]], *, name: str) -> None:
        self._work = work
        self._name = name
        self._task: asyncio.Task[T] | None = None

    async def result(self) -> T:
        """Return what comes of it; whoever gives up does not end it for the others."""
        if self._task is None or self._task.done():
            self._task = asyncio.create_task(self._work(), name=self._name)
            self._task.add_done_callback(_look_at)
        return await asyncio.shield(self._task)

    async def close(self) -> None:
        """End the work."""
        if self._task is not None:
            self._task.cancel()
            await asyncio.wait([self._task])


def _look_at(task: asyncio.Task[Any]) -> None:
    """Look at how it ended, though all that waited for it may have gone."""
    if not task.cancelled():
        task.exception()
