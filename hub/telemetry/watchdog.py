"""Notices when the event loop stands still, and says what it stands in.

A handler that computes or waits without `await` holds up every other one and every sender. From
inside the loop that cannot be seen while it lasts, so a thread of its own asks the loop to turn.
"""

import asyncio
import sys
import threading
import time
import traceback
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from types import TracebackType
from typing import Self

import structlog

THRESHOLD_SECONDS = 0.2
"""Longer than any step on the way of an event takes; short enough to be noticed by nobody else."""

PAUSE_SECONDS = 0.05
"""Between two questions: twenty wake-ups of the loop a second cost nothing that can be measured."""

_FRAMES = 20
"""The innermost ones: what blocks is there, and the loop's own frames are always the same."""


@contextmanager
def running(label: str) -> Iterator[None]:
    """Name the current task after what it runs, as long as the context is open.

    A task's name is what another thread can see of it, so nothing else has to be kept in step.
    """
    task = asyncio.current_task()
    if task is None:
        raise RuntimeError("only a task can be named after what it runs")
    before = task.get_name()
    task.set_name(label)
    try:
        yield
    finally:
        task.set_name(before)


class Watchdog:
    """Watches the loop that it is entered in, until it is left.

    `count` is called once for each blockage, from the watchdog's own thread.
    """

    def __init__(
        self,
        *,
        count: Callable[[], object],
        threshold_seconds: float = THRESHOLD_SECONDS,
        pause_seconds: float = PAUSE_SECONDS,
    ) -> None:
        self._count = count
        self._threshold = threshold_seconds
        self._pause = pause_seconds
        self._stopped = threading.Event()
        self._turned = threading.Event()

    def __enter__(self) -> Self:
        self._loop = asyncio.get_running_loop()
        self._loop_thread = threading.get_ident()
        self._thread = threading.Thread(target=self._watch, name="watchdog", daemon=True)
        self._thread.start()
        return self

    def __exit__(
        self,
        _kind: type[BaseException] | None,
        _error: BaseException | None,
        _stack: TracebackType | None,
    ) -> None:
        self._stopped.set()
        # The loop is here and cannot answer: the thread must not wait for it.
        self._turned.set()
        self._thread.join()

    def _watch(self) -> None:
        while True:
            # Cleared before the look at `_stopped`, or this could undo the `set` of `__exit__`.
            self._turned.clear()
            if self._stopped.wait(self._pause):
                return
            try:
                self._loop.call_soon_threadsafe(self._turned.set)
            except RuntimeError:
                # The loop was closed under this context: nothing is left to watch.
                return
            if not self._turned_in_time():
                self._report()
                self._turned.wait()

    def _turned_in_time(self) -> bool:
        asked_at, worked = time.monotonic(), time.process_time()
        if self._turned.wait(self._threshold):
            return True
        overslept = time.monotonic() - asked_at > 2 * self._threshold
        idle = time.process_time() - worked < self._threshold / 2
        # Then the whole process stood still, and not the loop in it: it gets its time anew.
        return overslept and idle and self._turned.wait(self._threshold)

    def _report(self) -> None:
        self._count()
        frame = sys._current_frames().get(self._loop_thread)  # noqa: SLF001 # documented, and the only way to see another thread's stack
        task = asyncio.current_task(self._loop)
        structlog.get_logger().error(
            "loop_blocked",
            running=task.get_name() if task is not None else None,
            threshold_ms=round(self._threshold * 1000),
            stack="".join(traceback.format_stack(frame, _FRAMES)) if frame is not None else "",
        )
