"""Many callers, one worker: what is asked while it works is served together in its next batch."""

import asyncio
from collections.abc import Awaitable, Callable, Mapping, Sequence

from hub.actions.gitops import Bump
from hub.clients.gitops.decision import Asked
from hub.errors import TemporaryError, TrunklineError

MAX_BATCH = 500
"""The bumps of one push: 200 take about a second, and every one of them may be looked at again
where another writer comes first."""

Answer = Bump | TrunklineError
Serve = Callable[[Sequence[Asked]], Awaitable[Mapping[str, Answer]]]
"""Answers every bump of a batch, by its event."""


class Lane:
    """Hands out batches, one at a time. Its task lives while there is work, and until `close`."""

    def __init__(self, serve: Serve) -> None:
        self._serve = serve
        self._waiting: list[Asked] = []
        self._answers: dict[str, asyncio.Future[Bump]] = {}
        self._task: asyncio.Task[None] | None = None
        self._closed = False

    async def ask(self, asked: Asked) -> Bump:
        """Wait for the answer. Whoever asks again for the same event waits for the same answer.

        A caller that gives up takes nothing back: its bump lands, and its next attempt finds it.
        Raises what the batch answers for this bump.
        """
        if self._closed:
            raise TemporaryError("the gitops writer is shutting down")
        answer = self._answers.get(asked.event) or self._enqueue(asked)
        return await asyncio.shield(answer)

    async def close(self) -> None:
        """End the work, also in the middle of a push: the next attempt finds out what landed."""
        self._closed = True
        if self._task and not self._task.done():
            self._task.cancel()
            await asyncio.wait([self._task])

    def _enqueue(self, asked: Asked) -> asyncio.Future[Bump]:
        answer = asyncio.get_running_loop().create_future()
        answer.add_done_callback(_look_at)
        self._answers[asked.event] = answer
        self._waiting.append(asked)
        if self._task is None:
            self._task = asyncio.create_task(self._work())
        return answer

    async def _work(self) -> None:
        try:
            while self._waiting:
                batch, self._waiting = self._waiting[:MAX_BATCH], self._waiting[MAX_BATCH:]
                answers = await self._serve(batch)
                for asked in batch:
                    self._answer(asked.event, answers[asked.event])
        finally:
            self._task = None
            # Only where the work was ended, or ended on a mistake of ours.
            for event in list(self._answers):
                self._answer(event, TemporaryError("the gitops writer was stopped"))
            self._waiting.clear()

    def _answer(self, event: str, answer: Answer) -> None:
        future = self._answers.pop(event)
        if isinstance(answer, TrunklineError):
            future.set_exception(answer)
        else:
            future.set_result(answer)


def _look_at(answer: asyncio.Future[Bump]) -> None:
    """Take note of a failure that nobody waits for any more; asyncio would complain of it."""
    if not answer.cancelled():
        answer.exception()
