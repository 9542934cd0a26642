"""A log on a real Kafka for the suites, with topics and groups of its own."""

import time
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from uuid import uuid4

from aiokafka import AIOKafkaConsumer, AIOKafkaProducer
from bus_home import event
from servers.kafka import KafkaCluster

from hub.bus.interface import Bus
from hub.bus.kafka import KafkaBus
from hub.events.envelope import Envelope
from hub.secrets import SecretPlace
from hub.settings import KafkaSettings

PATIENCE = 60.0
"""Seconds after which something is stuck, whatever the machine is busy with."""

PARTITIONS = 3


class KafkaHome:
    """The topics, and the process that uses them now."""

    def __init__(self, address: str, settings: KafkaSettings) -> None:
        self.address = address
        self.settings = settings
        self.bus: Bus

    def new_bus(self, *, monotonic: Callable[[], float] = time.monotonic) -> KafkaBus:
        """Make the log of another process beside this one."""
        password = self.settings.password
        return KafkaBus(
            servers=self.address.split(","),
            settings=self.settings,
            password=None if password is None else SecretPlace(password, name="password"),
            instance=self.settings.topic,
            monotonic=monotonic,
        )

    @asynccontextmanager
    async def another(self) -> AsyncIterator[KafkaBus]:
        """Open the log of another process for a while."""
        bus = self.new_bus()
        await bus.start()
        try:
            yield bus
        finally:
            await bus.stop()

    async def open(self) -> None:
        self._bus = self.new_bus()
        self.bus = self._bus
        await self._bus.start()

    async def close(self) -> None:
        await self._bus.stop()

    async def restart(self) -> None:
        await self.close()
        await self.open()


def new_settings(**others: object) -> KafkaSettings:
    """Return settings with a topic that nobody has."""
    return KafkaSettings.model_validate(
        {"topic": f"t{uuid4().hex}", "partitions": PARTITIONS, "replication": 1, **others}
    )


@asynccontextmanager
async def kafka_home(cluster: KafkaCluster, **others: object) -> AsyncIterator[KafkaHome]:
    home = KafkaHome(cluster.address, new_settings(**others))
    await home.open()
    try:
        yield home
    finally:
        await home.close()


def keyed(name: str, key: str, data: bytes = b"{}") -> Envelope:
    """Return an event that is ordered with those of its key."""
    return Envelope(
        id=name, source=event("").source, type="com.github.push", partitionkey=key, data=data
    )


async def send_raw(home: KafkaHome, value: bytes, *, headers: list[tuple[str, bytes]]) -> None:
    """Send what another program may send: with the key of `event`, so to its partition."""
    async with AIOKafkaProducer(bootstrap_servers=home.address) as producer:
        key = event("").partitionkey.encode()
        await producer.send_and_wait(home.settings.topic, value, key=key, headers=headers)


async def raw_records(home: KafkaHome, topic: str) -> list[tuple[bytes | None, dict[str, bytes]]]:
    """Return the values and headers of all records that the topic has now."""
    async with AIOKafkaConsumer(
        topic, bootstrap_servers=home.address, auto_offset_reset="earliest"
    ) as consumer:
        ends = await consumer.end_offsets([*consumer.assignment()])
        found: list[tuple[bytes | None, dict[str, bytes]]] = []
        while len(found) < sum(ends.values()):
            for records in (await consumer.getmany(timeout_ms=200)).values():
                found += [(record.value, dict(record.headers)) for record in records]
        return found
