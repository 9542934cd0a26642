"""Several partitions as one sequence, in the order of the time at which the log received them."""

from collections import deque

from aiokafka import AIOKafkaConsumer, TopicPartition

from hub.bus.kafka.messages import Raw
from hub.bus.kafka.positions import Cursor

_WAIT_MS = 200
_PAGE = 100
"""Records decoded ahead; of each partition, for any may hold the oldest."""


class Merge:
    """Goes from `starts` to `ends` in each partition.

    The consumer is a paused one without a group.
    """

    def __init__(self, consumer: AIOKafkaConsumer, *, starts: Cursor, ends: Cursor) -> None:
        self._consumer = consumer
        self._ends = ends
        self._ahead: dict[TopicPartition, deque[Raw]] = {}
        self.cursor = dict(starts)
        """The next offset in each partition, behind what `next` has returned."""
        for partition, start in starts.items():
            if start < ends[partition]:
                consumer.seek(partition, start)
                consumer.resume(partition)
                self._ahead[partition] = deque()

    async def next(self) -> Raw | None:
        """Return the oldest record that is left; None behind the last."""
        await self._look_ahead()
        if not self._ahead:
            return None
        partition = min(self._ahead, key=lambda one: (self._ahead[one][0].timestamp, one))
        raw = self._ahead[partition].popleft()
        self._move(partition, raw.offset + 1)
        return raw

    async def _look_ahead(self) -> None:
        """Have a record of every partition that has one left."""
        while lacking := [one for one, ahead in self._ahead.items() if not ahead]:
            fetched = await self._consumer.getmany(*lacking, timeout_ms=_WAIT_MS, max_records=_PAGE)
            for partition, records in fetched.items():
                end = self._ends[partition]
                self._ahead[partition].extend(raw for raw in records if raw.offset < end)
            for partition in lacking:
                if not self._ahead[partition]:
                    # What stands before the end may be no record, but a transaction's mark.
                    self._move(partition, await self._consumer.position(partition))

    def _move(self, partition: TopicPartition, offset: int) -> None:
        self.cursor[partition] = min(offset, self._ends[partition])
        if offset >= self._ends[partition]:
            del self._ahead[partition]
