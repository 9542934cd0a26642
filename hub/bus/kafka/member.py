"""A member of a consumer group, kept alive: what fetches is rebuilt when it stands still.

aiokafka's consumers stop for good now and then, some without an error
(https://github.com/aio-libs/aiokafka/issues/1187, 1037, 847, 712), so what they do is watched from
outside. No handler runs here, and a call that fetches is always under way: a member that does not
fetch for long leaves its group, and one without partitions does not find back.
"""

import asyncio
from collections.abc import Awaitable, Callable, Iterable, Mapping

import structlog
from aiokafka import AIOKafkaConsumer, ConsumerRebalanceListener, TopicPartition
from aiokafka.errors import CommitFailedError, IllegalStateError

from hub.bus.kafka.closing import discard_consumer
from hub.bus.kafka.cluster import FAILURES, REQUEST_SECONDS, Cluster, words_of
from hub.bus.kafka.intake import Intake
from hub.bus.kafka.topics import Limits, Topics
from hub.errors import SettingsError, StorageError

STALLED_SECONDS = 60.0
"""Without an answer for one of its partitions a consumer has stopped: an idle one gets two a
second, and an election or a rebalance takes a few seconds."""

COMMIT_SECONDS = 10.0

_START_SECONDS = 3 * REQUEST_SECONDS
_PAUSE_SECONDS = 1.0
"""Before the next try."""

_WAIT_MS = 500
_FULL_WAIT_MS = 20
"""How long one call waits for records, and how long while there is no room for any."""

_FETCH_RECORDS = 500

_NOWHERE = TopicPartition("", 0)
"""A partition that nothing comes from: asking for it counts as fetching."""

_log = structlog.get_logger()


class Member:
    """Fetches what the group has given to this process into an intake."""

    def __init__(
        self,
        *,
        cluster: Cluster,
        topics: Topics,
        limits: Callable[[], Awaitable[Limits]],
        group: str,
        intake: Intake,
        monotonic: Callable[[], float],
    ) -> None:
        self._cluster = cluster
        self._topics = topics
        self._limits = limits
        self._group = group
        self._intake = intake
        self._monotonic = monotonic
        self._told = False
        self.consumer: AIOKafkaConsumer | None = None
        """What fetches now; none while no broker can be reached."""

    async def run(self) -> None:
        """Be a member, until cancelled."""
        while True:
            try:
                await self._limits()
                await self._fetch_until_it_fails()
            except (StorageError, SettingsError, *FAILURES) as error:
                self._tell(error)
            except Exception as error:  # noqa: BLE001  faults of the library: reading goes on
                self._tell(error, exc_info=True)
            await asyncio.sleep(_PAUSE_SECONDS)

    async def commit(self, offsets: Mapping[TopicPartition, int]) -> None:
        """Commit. What has gone to another member meanwhile is left to that one.

        Raises StorageError where the brokers do not answer.
        """
        consumer = self.consumer
        if consumer is None or not offsets:
            return
        try:
            async with asyncio.timeout(COMMIT_SECONDS):
                await consumer.commit(dict(offsets))
        except (CommitFailedError, IllegalStateError):
            _log.info("commit_left_to_another_member", group=self._group)
        except FAILURES as error:
            raise StorageError(
                f"the position of {self._group} cannot be written ({words_of(error)})"
            ) from error
        else:
            self._intake.committed(offsets)

    async def _fetch_until_it_fails(self) -> None:
        consumer = self._cluster.new_member(self._group)
        try:
            async with asyncio.timeout(_START_SECONDS):
                await consumer.start()
            consumer.subscribe(self._topics.names, listener=_Listener(self._intake))
            self.consumer = consumer
            await self._fetch(consumer)
        finally:
            self.consumer = None
            self._intake.revoke_all()
            await discard_consumer(consumer)

    async def _fetch(self, consumer: AIOKafkaConsumer) -> None:
        watch = _Watch(self._monotonic)
        while True:
            full = self._intake.full
            async with asyncio.timeout(STALLED_SECONDS):
                fetched = await consumer.getmany(
                    *([_NOWHERE] if full else []),
                    timeout_ms=_FULL_WAIT_MS if full else _WAIT_MS,
                    max_records=_FETCH_RECORDS,
                )
            for records in fetched.values():
                self._intake.put(records)
            await self.commit(self._intake.passed())
            watch.look(consumer, resting=full)
            if fetched or consumer.assignment():
                self._told = False

    def _tell(self, error: Exception, *, exc_info: bool = False) -> None:
        """Say it once until it works again."""
        if not self._told:
            self._told = True
            why = words_of(error)
            _log.warning("consumer_rebuilt", group=self._group, why=why, exc_info=exc_info)


class _Watch:
    """Notices a partition that no answer comes from."""

    def __init__(self, monotonic: Callable[[], float]) -> None:
        self._monotonic = monotonic
        self._answers: dict[TopicPartition, tuple[int | None, float]] = {}

    def look(self, consumer: AIOKafkaConsumer, *, resting: bool) -> None:
        """Raise TimeoutError where one is silent for too long, unless nobody asks for it now."""
        now = self._monotonic()
        answers = {}
        for partition in consumer.assignment():
            answer = consumer.last_poll_timestamp(partition)
            before, since = self._answers.get(partition, (None, now))
            if resting or answer != before:
                since = now
            elif now - since > STALLED_SECONDS:
                raise TimeoutError(f"nothing was heard of {partition} for {STALLED_SECONDS} s")
            answers[partition] = (answer, since)
        self._answers = answers


class _Listener(ConsumerRebalanceListener):
    """Hears what is given to this member and what is taken away."""

    def __init__(self, intake: Intake) -> None:
        self._intake = intake

    def on_partitions_revoked(self, revoked: Iterable[TopicPartition]) -> None:
        self._intake.revoke(revoked)

    def on_partitions_assigned(self, assigned: Iterable[TopicPartition]) -> None:
        _log.info("partitions_assigned", count=len(list(assigned)))
