"""From events to receipts: what this process knows is answered, and what is new is sent."""

import asyncio
from collections.abc import Sequence

from hub.bus.interface import Conflict, Duplicate, Receipt, Stored
from hub.bus.kafka.memory import Asked, Known, Memory, asked
from hub.bus.kafka.messages import MessageWriter
from hub.bus.kafka.sending import Outcome, Sending
from hub.bus.kafka.topics import Topics
from hub.bus.sequence import distinct, with_twins
from hub.errors import StorageError
from hub.events.envelope import Envelope

APPEND_SECONDS = 6.0
"""From the call to the answer: GitHub hangs up after 10 s, and the receiver wants some of them."""


class Appending:
    """Appends sequences of events."""

    def __init__(self, *, sending: Sending, topics: Topics, writer: MessageWriter) -> None:
        self._sending = sending
        self._topics = topics
        self._writer = writer
        self._memory = Memory()
        self._tasks: set[asyncio.Task[Sequence[Outcome]]] = set()

    async def append(self, events: Sequence[Envelope]) -> Sequence[Receipt]:
        """See KafkaBus.append."""
        deadline = asyncio.get_running_loop().time() + APPEND_SECONDS
        once = distinct(events)
        receipts = await self._append([await asked(event) for event in once.values()], deadline)
        if len(once) == len(events):
            return receipts
        return with_twins(events, dict(zip(once, receipts, strict=True)))

    async def close(self) -> None:
        """Wait for what is being sent."""
        while self._tasks:
            await asyncio.wait(self._tasks)

    async def _append(self, events: Sequence[Asked], deadline: float) -> Sequence[Receipt]:
        if self._memory.under_way(events):
            await self._wait_for_others(events, deadline)
        # From here to the start of the task nothing is awaited, so no event is sent twice.
        receipts = self._compared(events)
        conflicts = (one for one in receipts.values() if isinstance(one, Conflict))
        if conflict := next(conflicts, None):
            return [receipts.get(one.name, conflict) for one in events]
        if fresh := [one for one in events if one.name not in receipts]:
            # A sender that hangs up does not change what becomes of its event.
            outcomes = await asyncio.shield(self._begin(fresh, deadline))
            receipts |= zip((one.name for one in fresh), map(_stored, outcomes), strict=True)
        return [receipts[one.name] for one in events]

    async def _wait_for_others(self, events: Sequence[Asked], deadline: float) -> None:
        try:
            async with asyncio.timeout_at(deadline):
                while under_way := self._memory.under_way(events):
                    await asyncio.wait(under_way)
        except TimeoutError as error:
            raise StorageError("the same event is being appended, and that takes long") from error

    def _compared(self, events: Sequence[Asked]) -> dict[bytes, Receipt]:
        receipts: dict[bytes, Receipt] = {}
        for one in events:
            if (known := self._memory.known(one.name)) is not None:
                kind = Duplicate if known.body == one.body else Conflict
                receipts[one.name] = kind(position=known.position)
        return receipts

    def _begin(self, events: Sequence[Asked], deadline: float) -> asyncio.Task[Sequence[Outcome]]:
        self._memory.begin(events)
        task = asyncio.create_task(self._send(events, deadline), name="kafka-append")
        self._tasks.add(task)
        task.add_done_callback(self._ended)
        return task

    def _ended(self, task: asyncio.Task[Sequence[Outcome]]) -> None:
        self._tasks.discard(task)
        if not task.cancelled():
            # Whoever waited for it may have gone.
            task.exception()

    async def _send(self, events: Sequence[Asked], deadline: float) -> Sequence[Outcome]:
        try:
            messages = [
                await self._writer.write(one.event, topic=self._topics.of(one.event.type))
                for one in events
            ]
            seconds = deadline - asyncio.get_running_loop().time()
            outcomes = await self._sending.send(messages, seconds=seconds)
            for one, outcome in zip(events, outcomes, strict=True):
                if not isinstance(outcome, Exception):
                    self._memory.remember(one.name, Known(one.body, outcome))
        finally:
            self._memory.end(events)
        return outcomes


def _stored(outcome: Outcome) -> Receipt:
    if isinstance(outcome, Exception):
        raise outcome
    return Stored(position=outcome)
