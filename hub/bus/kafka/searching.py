"""Looks for an event by its id, from the end of the log backwards."""

import asyncio
from collections.abc import Sequence
from datetime import UTC, datetime

from aiokafka import AIOKafkaConsumer, TopicPartition

from hub.bus.dedupe import PREFIX_CHARACTERS
from hub.bus.interface import Record
from hub.bus.kafka.messages import Raw, read_message
from hub.bus.kafka.positions import position_of
from hub.bus.reading import ENOUGH_FOUND
from hub.errors import Malformed, StorageError

FIRST_WINDOW = 1_000
LARGEST_WINDOW = 16_000
"""Records of each partition that are looked at together; each window is twice the last."""

_WAIT_MS = 200
_PAGE = 500
_ID = "ce_id"


class Search:
    """One search. The consumer is a paused one without a group."""

    def __init__(self, consumer: AIOKafkaConsumer, event_id: str) -> None:
        self._consumer = consumer
        self._event_id = event_id
        self._found: list[Raw] = []
        self._seen_back_to: dict[TopicPartition, int] = {}

    async def run(self, *, seconds: float) -> Sequence[Record]:
        """Return the events of the latest window that has any, oldest first, each once.

        Raises StorageError where the time is over before one was found or the beginning reached.
        """
        try:
            async with asyncio.timeout(seconds):
                await self._search()
        except TimeoutError as error:
            if not self._found:
                raise StorageError(self._so_far()) from error
        return await self._records()

    async def _search(self) -> None:
        partitions = list(self._consumer.assignment())
        first = await self._consumer.beginning_offsets(partitions)
        until = await self._consumer.end_offsets(partitions)
        window = FIRST_WINDOW
        while not self._found:
            left = [one for one in partitions if until[one] > first[one]]
            if not left:
                return
            since = {one: max(first[one], until[one] - window) for one in left}
            await self._look(since, until)
            until |= since
            window = min(2 * window, LARGEST_WINDOW)

    async def _look(
        self, since: dict[TopicPartition, int], until: dict[TopicPartition, int]
    ) -> None:
        """Look at the records of one window."""
        for partition, offset in since.items():
            self._consumer.seek(partition, offset)
            self._consumer.resume(partition)
        left = set(since)
        while left:
            fetched = await self._consumer.getmany(*left, timeout_ms=_WAIT_MS, max_records=_PAGE)
            for partition, records in fetched.items():
                self._seen_back_to.setdefault(partition, records[0].timestamp)
                self._found += [
                    raw for raw in records if raw.offset < until[partition] and self._is_meant(raw)
                ]
            for partition in list(left):
                if await self._consumer.position(partition) >= until[partition]:
                    self._consumer.pause(partition)
                    left.remove(partition)

    def _is_meant(self, raw: Raw) -> bool:
        found = _id_of(raw)
        if found is None or len(self._event_id) < PREFIX_CHARACTERS:
            return found == self._event_id
        return found.startswith(self._event_id)

    async def _records(self) -> Sequence[Record]:
        self._found.sort(key=lambda raw: (raw.timestamp, raw.topic, raw.partition, raw.offset))
        records: dict[tuple[str, str], Record] = {}
        for raw in self._found[:ENOUGH_FOUND]:
            try:
                envelope = await read_message(raw)
            except Malformed:
                continue
            record = Record(
                envelope=envelope,
                position=position_of(raw.topic, raw.partition, raw.offset),
                received_at=raw.timestamp / 1000,
            )
            # Two processes may have stored the same event; the first of them has the runs.
            records.setdefault((envelope.source, envelope.id), record)
        return list(records.values())

    def _so_far(self) -> str:
        if not self._seen_back_to:
            return "the search took too long to look at anything"
        back_to = datetime.fromtimestamp(max(self._seen_back_to.values()) / 1000, tz=UTC)
        return f"not found among the events since {back_to:%Y-%m-%d %H:%M:%S} UTC; it took too long"


def _id_of(raw: Raw) -> str | None:
    for name, text in raw.headers:
        if name == _ID:
            return bytes(text or b"").decode(errors="replace")
    return None
