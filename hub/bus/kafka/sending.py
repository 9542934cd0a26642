"""Sends records: one producer for all, and a new one after it has failed.

An idempotent producer that has lost a batch counts wrongly from then on
(https://github.com/aio-libs/aiokafka/issues/1017), and keeps what it could not send for ever. So
after a failure it gets nothing more to do, and is closed once nobody waits for it.
"""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from contextlib import asynccontextmanager

import structlog
from aiokafka import AIOKafkaProducer
from aiokafka.errors import MessageSizeTooLargeError
from aiokafka.structs import RecordMetadata

from hub.bus.interface import Position
from hub.bus.kafka.closing import discard_producer
from hub.bus.kafka.cluster import FAILURES, Cluster, words_of
from hub.bus.kafka.messages import Message
from hub.bus.kafka.positions import position_of
from hub.bus.kafka.shared import Shared
from hub.bus.kafka.topics import Limits
from hub.errors import SettingsError, StorageError, TooLargeToStore

CONNECT_SECONDS = 5.0
"""To find a broker and become a producer; less than an append has."""

_BATCH_BYTES = 512 * 1024
"""Of one request for one partition: there is one at a time, so what waits goes into it together."""

_log = structlog.get_logger()

Outcome = Position | StorageError | TooLargeToStore
"""Where a record stands now, or why it does not."""


class _Line:
    """A producer, and how many wait for it."""

    def __init__(self, producer: AIOKafkaProducer, limits: Limits) -> None:
        self.producer = producer
        self.limits = limits
        self.users = 0


class Sending:
    """Sends."""

    def __init__(self, *, cluster: Cluster, limits: Callable[[], Awaitable[Limits]]) -> None:
        """`limits` are those of the topics, known once a broker is reached."""
        self._cluster = cluster
        self._limits = limits
        self._line: _Line | None = None
        self._connecting = Shared(self._connect, name="kafka-connect")
        self._closing: set[asyncio.Task[None]] = set()
        self._reachable = True

    async def send(self, messages: Sequence[Message], *, seconds: float) -> list[Outcome]:
        """Send in order, and return what came of each within so many seconds.

        Raises StorageError where there is no broker, and TooLargeToStore where a message is too
        large for its topic; then none of them was sent.
        """
        deadline = asyncio.get_running_loop().time() + seconds
        line = self._line or await self._connected(deadline)
        _refuse_large(messages, line.limits)
        async with self._use(line):
            outcomes = await _send(line.producer, messages, deadline=deadline)
            if any(isinstance(one, Exception) for one in outcomes):
                self._retire(line)
        return outcomes

    async def probe(self, *, seconds: float) -> None:
        """Raise StorageError where an append would fail now, by what the brokers tell."""
        deadline = asyncio.get_running_loop().time() + seconds
        line = self._line or await self._connected(deadline)
        async with self._use(line):
            try:
                async with asyncio.timeout_at(deadline):
                    await _check_partitions(line.producer, line.limits)
            except (StorageError, *FAILURES) as error:
                # The brokers may all have moved since it was told where they are.
                self._retire(line)
                raise self._unreachable(error) from error

    async def close(self) -> None:
        """Close the producer, and those that have failed. What waits is given up."""
        await self._connecting.close()
        if (line := self._line) is not None:
            self._retire(line)
            self._close(line)
        while self._closing:
            await asyncio.wait(self._closing)

    async def _connected(self, deadline: float) -> _Line:
        try:
            async with asyncio.timeout_at(deadline):
                return await self._connecting.result()
        except TimeoutError as error:
            raise self._unreachable(error) from error

    async def _connect(self) -> _Line:
        limits = await self._limits()
        try:
            producer = self._cluster.new_producer(batch_bytes=min(_BATCH_BYTES, limits.least))
        except SettingsError as error:
            raise StorageError(str(error)) from error
        try:
            async with asyncio.timeout(CONNECT_SECONDS):
                await producer.start()
        except FAILURES as error:
            await discard_producer(producer)
            self._tell_unreachable(error)
            raise self._unreachable(error) from error
        except BaseException:
            await discard_producer(producer)
            raise
        self._reachable = True
        self._line = _Line(producer, limits)
        return self._line

    @asynccontextmanager
    async def _use(self, line: _Line) -> AsyncIterator[None]:
        line.users += 1
        try:
            yield
        finally:
            line.users -= 1
            if self._line is not line and not line.users:
                self._close(line)

    def _retire(self, line: _Line) -> None:
        if self._line is line:
            self._line = None

    def _close(self, line: _Line) -> None:
        task = asyncio.create_task(discard_producer(line.producer), name="kafka-close")
        self._closing.add(task)
        task.add_done_callback(self._closing.discard)

    def _unreachable(self, error: BaseException) -> StorageError:
        return StorageError(
            f"the log on {self._cluster.where} cannot be written: {words_of(error)}"
        )

    def _tell_unreachable(self, error: BaseException) -> None:
        if self._reachable:
            self._reachable = False
            _log.warning("log_unreachable", servers=self._cluster.where, why=words_of(error))


def _refuse_large(messages: Sequence[Message], limits: Limits) -> None:
    for message in messages:
        if message.size > limits.largest[message.topic]:
            raise _too_large(message)


async def _send(
    producer: AIOKafkaProducer, messages: Sequence[Message], *, deadline: float
) -> list[Outcome]:
    waiting: list[asyncio.Future[RecordMetadata]] = []
    try:
        async with asyncio.timeout_at(deadline):
            for message in messages:
                waiting.append(  # noqa: PERF401  kept where one fails
                    await producer.send(
                        message.topic,
                        message.value,
                        key=message.key,
                        headers=list(message.headers),
                    )
                )
            await asyncio.wait(waiting)
    except FAILURES as error:
        failure = StorageError(f"the log did not acknowledge the event: {words_of(error)}")
    else:
        failure = StorageError("the log did not acknowledge the event")
    finally:
        for one in waiting:
            one.cancel()
    arrived = [
        failure if one.cancelled() else _outcome(one, message)
        for one, message in zip(waiting, messages, strict=False)
    ]
    return arrived + [failure] * (len(messages) - len(waiting))


def _outcome(done: asyncio.Future[RecordMetadata], message: Message) -> Outcome:
    error = done.exception()
    if isinstance(error, MessageSizeTooLargeError):
        return _too_large(message)
    if error is not None:
        return StorageError(f"the log did not take the event: {words_of(error)}")
    sent = done.result()
    if sent.offset < 0:
        # Stored, but where was forgotten, which a broker does with all but the last five batches.
        return StorageError("the log did not say where the event stands")
    return position_of(sent.topic, sent.partition, sent.offset)


def _too_large(message: Message) -> TooLargeToStore:
    return TooLargeToStore(
        f"the topic {message.topic} takes no event of {message.size} bytes: see max.message.bytes"
    )


async def _check_partitions(producer: AIOKafkaProducer, limits: Limits) -> None:
    for topic in limits.copies:
        await producer.partitions_for(topic)
    if not await producer.client.force_metadata_update():
        raise StorageError("no broker of the log answers")
    # Public are only the leaders; how many copies keep up is in the same answer.
    known = producer.client.cluster._partitions  # noqa: SLF001
    for topic, copies in limits.copies.items():
        for number, partition in known.get(topic, {}).items():
            if partition.leader < 0 or len(partition.isr) < copies:
                raise StorageError(f"too few copies of {topic}, partition {number}, are alive")
