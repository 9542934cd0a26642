"""The log on Kafka: the port of `hub/bus/interface.py` around the modules beside it."""

import asyncio
import time
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import asynccontextmanager

import structlog

from hub.bus.interface import Position, Receipt, Record
from hub.bus.kafka.appending import Appending
from hub.bus.kafka.cluster import Cluster
from hub.bus.kafka.dead_letters import DeadLetters
from hub.bus.kafka.intake import Intake
from hub.bus.kafka.member import Member
from hub.bus.kafka.messages import MessageWriter
from hub.bus.kafka.preparation import PreparedTopics
from hub.bus.kafka.reading import Reading
from hub.bus.kafka.sending import Sending
from hub.bus.kafka.subscription import KafkaSubscription
from hub.bus.kafka.topics import Limits, Topics
from hub.errors import SettingsError, StorageError
from hub.events.envelope import Envelope
from hub.secrets import SecretPlace
from hub.settings import KafkaSettings

PROVEN_SECONDS = 1.0
"""How long a success speaks for the next append, so that `check` may be asked often."""

CHECK_SECONDS = 2.0

_NEVER = float("-inf")

_log = structlog.get_logger()


class KafkaBus:
    """The log. To be started, and stopped."""

    def __init__(
        self,
        *,
        servers: Sequence[str],
        settings: KafkaSettings,
        password: SecretPlace | None,
        instance: str,
        monotonic: Callable[[], float] = time.monotonic,
    ) -> None:
        """`servers` are `HOST:PORT`; `instance` names this installation to the brokers.

        Raises SettingsError where a certificate cannot be used.
        """
        self._settings = settings
        self._monotonic = monotonic
        self._topics = Topics(settings)
        self._cluster = Cluster(
            servers=servers, settings=settings, password=password, instance=instance
        )
        self._prepared = PreparedTopics(cluster=self._cluster, settings=settings)
        self._sending = Sending(cluster=self._cluster, limits=self._limits)
        self._appending = Appending(
            sending=self._sending,
            topics=self._topics,
            writer=MessageWriter(packed=settings.compress_bodies),
        )
        self._reading = Reading(cluster=self._cluster, topics=self._topics, limits=self._limits)
        self._proven_until = _NEVER

    async def start(self) -> None:
        """Look at the topics, and create those that are missing where that is wanted.

        Raises SettingsError where they do not fit, and StorageError where no broker can be
        reached. With a spool that is no error: then it is done once one is.
        """
        try:
            await self._prepared.limits()
        except StorageError as error:
            if self._settings.spool is None:
                raise
            _log.warning("log_unreachable", servers=self._cluster.where, why=str(error))

    async def stop(self) -> None:
        """Wait for what is being appended, which is soon over, and close all connections."""
        await self._appending.close()
        await self._prepared.close()
        await self._sending.close()

    async def append(self, events: Sequence[Envelope]) -> Sequence[Receipt]:
        """See Bus.append. An event that a Conflict has kept out is answered with that Conflict.

        Known are those that this process has appended lately. Raises StorageError within 6 s,
        TooLargeToStore where the topic does not take an event of that size, Conflicting where two
        of the events have one id and different bodies, and Malformed where an attribute breaks
        its rule.
        """
        try:
            receipts = await self._appending.append(events)
        except StorageError:
            self._proven_until = _NEVER
            raise
        if events:
            self._proven_until = self._monotonic() + PROVEN_SECONDS
        return receipts

    @asynccontextmanager
    async def subscribe(self, group: str) -> AsyncIterator[KafkaSubscription]:
        """See Bus.subscribe. A group that is new begins at the first event."""
        intake = Intake()
        member = Member(
            cluster=self._cluster,
            topics=self._topics,
            limits=self._limits,
            group=group,
            intake=intake,
            monotonic=self._monotonic,
        )
        task = asyncio.create_task(member.run(), name=f"kafka-member-{group}")
        try:
            yield KafkaSubscription(
                member=member,
                intake=intake,
                dead_letters=DeadLetters(sending=self._sending),
                topics=self._topics,
            )
        finally:
            task.cancel()
            await asyncio.wait([task])

    async def find(self, event_id: str) -> Sequence[Record]:
        """See Bus.find: of equal events the first, and of the latest ones all that are near.

        Raises StorageError where it takes too long, with the time up to which it has looked.
        """
        return await self._reading.named(event_id)

    async def read(self, *, after: Position | None, limit: int) -> Sequence[Record]:
        """See Bus.read. The position of such a record stands for all partitions together.

        After a position of one record it begins in the other partitions at the same time. Raises
        Malformed where `after` is no position on this log.
        """
        return await self._reading.after(after, limit)

    async def recent(self, limit: int) -> Sequence[Record]:
        """See Bus.recent. The positions are as those of `read`."""
        return await self._reading.latest(limit)

    async def check(self) -> None:
        """See Bus.check. Where the last append failed or was long ago, the brokers are asked."""
        if self._monotonic() >= self._proven_until:
            await self._sending.probe(seconds=CHECK_SECONDS)
            self._proven_until = self._monotonic() + PROVEN_SECONDS

    async def _limits(self) -> Limits:
        try:
            return await self._prepared.limits()
        except SettingsError as error:
            # It was no error at the start, for then no broker could be reached.
            raise StorageError(str(error)) from error
