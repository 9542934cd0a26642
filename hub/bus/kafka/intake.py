"""What a member has fetched and nobody has polled yet, and how far each of its partitions is.

Without I/O: the member fills it, the subscription empties it, and what is revoked drops out.
"""

import asyncio
from collections import deque
from collections.abc import Iterable, Mapping, Sequence

from aiokafka import TopicPartition

from hub.bus.kafka.messages import Raw, size_of
from hub.bus.kafka.positions import Place
from hub.bus.reading import ENOUGH_BYTES

ENOUGH_RECORDS = 1000
"""Two polls of the router: one is being routed while the other waits."""


class _Progress:
    """How far one partition is since it came to this member; offsets are those of what is next."""

    def __init__(self) -> None:
        self.polled = 0
        self.passed = 0
        """As `polled`, or behind records that were no events."""
        self.committed = 0


class Intake:
    """Records in the order they came."""

    def __init__(self) -> None:
        self._waiting: deque[Raw] = deque()
        self._size = 0
        self._progress: dict[TopicPartition, _Progress] = {}
        self._filled = asyncio.Event()

    @property
    def full(self) -> bool:
        """Whether no more should be put in."""
        return len(self._waiting) >= ENOUGH_RECORDS or self._size >= ENOUGH_BYTES

    def put(self, records: Iterable[Raw]) -> None:
        """Add what was fetched."""
        for raw in records:
            self._waiting.append(raw)
            self._size += size_of(raw)
        self._look()

    async def filled(self) -> None:
        """Wait until there is something."""
        await self._filled.wait()

    def first(self, limit: int) -> Sequence[Raw]:
        """Return up to `limit` records and about `ENOUGH_BYTES`, which stay where they are."""
        found: list[Raw] = []
        size = 0
        for raw in self._waiting:
            if len(found) >= limit or size >= ENOUGH_BYTES:
                break
            found.append(raw)
            size += size_of(raw)
        return found

    def take(self, raw: Raw) -> bool:
        """Note the first record as polled; say whether it still was there to be taken."""
        if not self._drop_first(raw):
            return False
        progress = self._progress_of(raw)
        progress.polled = progress.passed = raw.offset + 1
        return True

    def pass_over(self, raw: Raw) -> None:
        """Note that the first record is no event, and done with."""
        if self._drop_first(raw):
            self._progress_of(raw).passed = raw.offset + 1

    def revoke(self, partitions: Iterable[TopicPartition]) -> None:
        """Forget everything about these partitions: they have gone to other members."""
        gone = set(partitions)
        self._waiting = deque(raw for raw in self._waiting if _partition_of(raw) not in gone)
        self._size = sum(map(size_of, self._waiting))
        for partition in gone:
            self._progress.pop(partition, None)
        self._look()

    def revoke_all(self) -> None:
        """Forget everything."""
        self.revoke([*self._progress, *map(_partition_of, self._waiting)])

    def due(self, places: Iterable[Place]) -> dict[TopicPartition, int]:
        """Return the offsets to commit when the records at these places are done with.

        Those of partitions that were revoked since they were polled are left out.
        """
        last: dict[TopicPartition, int] = {}
        for place in places:
            last[place.partition] = max(place.offset + 1, last.get(place.partition, 0))
        due = {}
        for partition, offset in last.items():
            progress = self._progress.get(partition)
            if progress is not None and progress.committed < offset <= progress.polled:
                due[partition] = progress.passed if offset == progress.polled else offset
        return due

    def passed(self) -> dict[TopicPartition, int]:
        """Return the offsets to commit because nothing before them waits to be done with."""
        return {
            partition: progress.passed
            for partition, progress in self._progress.items()
            if progress.polled <= progress.committed < progress.passed
        }

    def committed(self, offsets: Mapping[TopicPartition, int]) -> None:
        """Note what was committed."""
        for partition, offset in offsets.items():
            if (progress := self._progress.get(partition)) is not None:
                progress.committed = max(progress.committed, offset)

    def _drop_first(self, raw: Raw) -> bool:
        if not self._waiting or self._waiting[0] is not raw:
            return False
        self._waiting.popleft()
        self._size -= size_of(raw)
        self._look()
        return True

    def _progress_of(self, raw: Raw) -> _Progress:
        return self._progress.setdefault(_partition_of(raw), _Progress())

    def _look(self) -> None:
        if self._waiting:
            self._filled.set()
        else:
            self._filled.clear()


def _partition_of(raw: Raw) -> TopicPartition:
    return TopicPartition(raw.topic, raw.partition)
