"""Looks at the log without belonging to a group: for people and pages, not for dispatch.

Kafka has no index and no order over partitions. So events are read together by the time they were
received, an id is looked for from the end backwards, and each reader is a consumer of its own, one
at a time, for what it fetches takes memory.
"""

import asyncio
from collections import deque
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from contextlib import asynccontextmanager

from aiokafka import AIOKafkaConsumer

from hub.bus.interface import Position, Record
from hub.bus.kafka.closing import discard_consumer
from hub.bus.kafka.cluster import FAILURES, Cluster, words_of
from hub.bus.kafka.merge import Merge
from hub.bus.kafka.messages import Raw, read_message
from hub.bus.kafka.positions import Cursor, Place, parse, position_behind
from hub.bus.kafka.searching import Search
from hub.bus.kafka.topics import Limits, Topics
from hub.bus.reading import ENOUGH_BYTES
from hub.errors import Malformed, SettingsError, StorageError

READ_SECONDS = 30.0
"""For one answer, with waiting for whoever reads now."""

FIND_SECONDS = 60.0
"""How long somebody waits for an event to be found. A minute reads about a million of them."""

_LOOK_MS = 500


class Reading:
    """Reads."""

    def __init__(
        self, *, cluster: Cluster, topics: Topics, limits: Callable[[], Awaitable[Limits]]
    ) -> None:
        self._cluster = cluster
        self._topics = topics
        self._limits = limits
        self._turn = asyncio.Lock()

    async def after(self, position: Position | None, limit: int) -> Sequence[Record]:
        """See KafkaBus.read."""
        parsed = {} if position is None else parse(position)
        async with self._reader(READ_SECONDS) as consumer:
            ends = await consumer.end_offsets(list(consumer.assignment()))
            starts = await self._starts(consumer, parsed, ends)
            merge = Merge(consumer, starts=starts, ends=ends)
            records: list[Record] = []
            size = 0
            while len(records) < limit and size < ENOUGH_BYTES:
                if (raw := await merge.next()) is None:
                    break
                if (record := await _record_of(raw, merge.cursor)) is not None:
                    records.append(record)
                    size += len(record.envelope.data)
            return records

    async def latest(self, limit: int) -> Sequence[Record]:
        """See KafkaBus.recent."""
        async with self._reader(READ_SECONDS) as consumer:
            partitions = list(consumer.assignment())
            ends = await consumer.end_offsets(partitions)
            first = await consumer.beginning_offsets(partitions)
            starts = {one: max(first[one], ends[one] - limit) for one in partitions}
            merge = Merge(consumer, starts=starts, ends=ends)
            records: deque[Record] = deque()
            size = 0
            while (raw := await merge.next()) is not None:
                if (record := await _record_of(raw, merge.cursor)) is not None:
                    records.append(record)
                    size += len(record.envelope.data)
                while len(records) > limit or (size > ENOUGH_BYTES and len(records) > 1):
                    size -= len(records.popleft().envelope.data)
            return list(records)

    async def named(self, event_id: str) -> Sequence[Record]:
        """See KafkaBus.find."""
        async with self._reader(FIND_SECONDS + READ_SECONDS) as consumer:
            return await Search(consumer, event_id).run(seconds=FIND_SECONDS)

    async def _starts(
        self, consumer: AIOKafkaConsumer, parsed: Place | Cursor, ends: Cursor
    ) -> Cursor:
        partitions = consumer.assignment()
        named = {parsed.partition} if isinstance(parsed, Place) else set(parsed)
        if not named <= partitions:
            raise Malformed("this is no position on this log: it has no such partition")
        first = await consumer.beginning_offsets(list(partitions))
        if isinstance(parsed, Place):
            parsed = await _cursor_behind(consumer, parsed, ends)
        return {one: max(first[one], parsed.get(one, 0)) for one in partitions}

    @asynccontextmanager
    async def _reader(self, seconds: float) -> AsyncIterator[AIOKafkaConsumer]:
        try:
            async with asyncio.timeout(seconds), self._turn:
                await self._limits()
                consumer = self._cluster.new_reader(self._topics.names)
                try:
                    await consumer.start()
                    # Before it fetches what nobody has asked for.
                    consumer.pause(*consumer.assignment())
                    yield consumer
                finally:
                    await discard_consumer(consumer)
        except FAILURES as error:
            raise StorageError(f"the log cannot be read ({words_of(error)})") from error
        except SettingsError as error:
            raise StorageError(str(error)) from error


async def _cursor_behind(consumer: AIOKafkaConsumer, place: Place, ends: Cursor) -> Cursor:
    """Return where to go on in every partition behind one record: at its time in the others."""
    if place.offset >= ends[place.partition]:
        raise Malformed("this is no position on this log: it has not come so far")
    at = await _time_at(consumer, place)
    found = await consumer.offsets_for_times(dict.fromkeys(ends, at))
    times = {one: ends[one] if there is None else there.offset for one, there in found.items()}
    return {**times, place.partition: place.offset + 1}


async def _time_at(consumer: AIOKafkaConsumer, place: Place) -> int:
    """Return the time of the record there, or of the first behind it that is left."""
    consumer.seek(place.partition, place.offset)
    consumer.resume(place.partition)
    while True:
        fetched = await consumer.getmany(place.partition, timeout_ms=_LOOK_MS, max_records=1)
        for (raw,) in fetched.values():
            consumer.pause(place.partition)
            timestamp: int = raw.timestamp
            return timestamp


async def _record_of(raw: Raw, cursor: Cursor) -> Record | None:
    """Return a record; None where it is no event, which dispatch keeps as a dead letter."""
    try:
        envelope = await read_message(raw)
    except Malformed:
        return None
    return Record(
        envelope=envelope, position=position_behind(cursor), received_at=raw.timestamp / 1000
    )
