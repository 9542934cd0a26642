"""A consumer group's view of the log on Kafka, from one member of it."""

import asyncio
from collections.abc import Sequence

from aiokafka import AIOKafkaConsumer, TopicPartition

from hub.bus.interface import Record
from hub.bus.kafka.cluster import FAILURES, words_of
from hub.bus.kafka.dead_letters import DeadLetters
from hub.bus.kafka.intake import Intake
from hub.bus.kafka.member import Member
from hub.bus.kafka.messages import Raw, read_message
from hub.bus.kafka.positions import Place, parse, position_of
from hub.bus.kafka.topics import Topics
from hub.errors import Malformed, StorageError

LAG_SECONDS = 5.0

_LOOK_AGAIN_SECONDS = 0.05


class KafkaSubscription:
    """One member of a group. Members share the partitions, and with them the keys.

    One task polls. While no broker can be reached it waits, and the log says so once.
    """

    def __init__(
        self, *, member: Member, intake: Intake, dead_letters: DeadLetters, topics: Topics
    ) -> None:
        self._member = member
        self._intake = intake
        self._dead_letters = dead_letters
        self._topics = topics

    async def poll(self, limit: int) -> Sequence[Record]:
        """See Subscription.poll. The order is that of each partition.

        A record that is no event becomes a dead letter, and counts as polled and done with. Raises
        StorageError where the dead letter cannot be written: the next poll tries again.
        """
        while True:
            await self._intake.filled()
            read = await self._read(limit)
            # What was revoked meanwhile is another member's now.
            if records := [record for raw, record in read if self._intake.take(raw)]:
                return records

    async def commit(self, records: Sequence[Record]) -> None:
        """See Subscription.commit. Raises StorageError where the brokers do not answer."""
        places = (parse(record.position) for record in records)
        due = self._intake.due(place for place in places if isinstance(place, Place))
        await self._member.commit(due)

    async def lag(self) -> int:
        """See Subscription.lag: that of the whole group, whichever member is asked.

        Raises StorageError.
        """
        try:
            async with asyncio.timeout(LAG_SECONDS):
                consumer, partitions = await self._consumer()
                # At once, for the first has to wait for a fetch that waits for records.
                ends, starts, *committed = await asyncio.gather(
                    consumer.end_offsets(partitions),
                    consumer.beginning_offsets(partitions),
                    *map(consumer.committed, partitions),
                )
        except FAILURES as error:
            raise StorageError(f"the lag is not known ({words_of(error)})") from error
        reached = dict(zip(partitions, committed, strict=True))
        return sum(max(0, ends[one] - max(reached[one] or 0, starts[one])) for one in partitions)

    async def _read(self, limit: int) -> list[tuple[Raw, Record]]:
        """Read what is in the intake, up to a record that is no event."""
        read: list[tuple[Raw, Record]] = []
        for raw in self._intake.first(limit):
            try:
                read.append((raw, await _record_of(raw)))
            except Malformed as error:
                if not read:
                    await self._dead_letters.write(raw, why=str(error))
                    self._intake.pass_over(raw)
                break
        return read

    async def _consumer(self) -> tuple[AIOKafkaConsumer, list[TopicPartition]]:
        """Wait until there is a consumer, and it knows the topics."""
        while True:
            if (consumer := self._member.consumer) is not None:
                known = {one: consumer.partitions_for_topic(one) for one in self._topics.names}
                if all(known.values()):
                    return consumer, [
                        TopicPartition(topic, number)
                        for topic, numbers in known.items()
                        for number in numbers or ()
                    ]
            await asyncio.sleep(_LOOK_AGAIN_SECONDS)


async def _record_of(raw: Raw) -> Record:
    return Record(
        envelope=await read_message(raw),
        position=position_of(raw.topic, raw.partition, raw.offset),
        received_at=raw.timestamp / 1000,
    )
