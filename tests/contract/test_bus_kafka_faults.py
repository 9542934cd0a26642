"""Brokers that die, freeze or refuse: nothing that was acknowledged is lost, and nobody hangs."""

import asyncio
import time
from collections.abc import AsyncIterator, Iterator
from itertools import count
from pathlib import Path

import pytest
from aiokafka.admin import AIOKafkaAdminClient, NewTopic
from bus_home import event, everything, kinds, names, noise
from kafka_home import PATIENCE, KafkaHome, kafka_home, keyed, new_settings, send_raw
from servers.kafka import KafkaCluster, kafka_cluster
from structlog.testing import capture_logs

from hub.bus.kafka.appending import APPEND_SECONDS
from hub.bus.kafka.bus import CHECK_SECONDS
from hub.errors import SettingsError, StorageError, TooLargeToStore
from hub.settings import KafkaSettings

IN_TIME = 3.0
"""How much later than promised an answer may come on a machine that is busy."""


@pytest.fixture
def cluster(servers: None) -> Iterator[KafkaCluster]:
    """Return a cluster of one broker that the test may kill."""
    with kafka_cluster() as started:
        yield started


@pytest.fixture
async def home(cluster: KafkaCluster) -> AsyncIterator[KafkaHome]:
    async with kafka_home(cluster) as opened:
        yield opened


async def is_stored(home: KafkaHome, name: str, key: str) -> bool:
    try:
        await home.bus.append([keyed(name, key)])
    except StorageError:
        return False
    return True


class Sender:
    """Appends the events of one key one after the other, and each until it is acknowledged."""

    def __init__(self, home: KafkaHome, key: str) -> None:
        self._home = home
        self._key = key
        self.acknowledged: list[str] = []
        self.refused = 0
        self.slowest = 0.0

    async def send(self) -> None:
        for number in count():
            name = f"{self._key} {number:06d}"
            async with asyncio.timeout(PATIENCE):
                while not await self._try(name):
                    self.refused += 1
                    await asyncio.sleep(0.05)
            self.acknowledged.append(name)

    async def _try(self, name: str) -> bool:
        began = time.monotonic()
        try:
            return await is_stored(self._home, name, self._key)
        finally:
            self.slowest = max(self.slowest, time.monotonic() - began)


async def test_what_was_acknowledged_while_the_broker_died_is_there_and_in_order(
    cluster: KafkaCluster, home: KafkaHome
) -> None:
    """T59, T60."""
    senders = [Sender(home, f"company/{number}") for number in range(8)]
    tasks = [asyncio.create_task(sender.send()) for sender in senders]

    async def until_each_has(more: int) -> None:
        goals = [len(sender.acknowledged) + more for sender in senders]
        async with asyncio.timeout(PATIENCE):
            while any(len(s.acknowledged) < goal for s, goal in zip(senders, goals, strict=True)):
                await asyncio.sleep(0.01)

    async with home.another() as other, other.subscribe("dispatch") as subscription:
        await until_each_has(20)
        await asyncio.to_thread(cluster.kill)
        async with asyncio.timeout(PATIENCE):
            while not all(sender.refused for sender in senders):
                await asyncio.sleep(0.05)
        with pytest.raises(StorageError):
            await home.bus.check()
        await asyncio.to_thread(cluster.start)
        await until_each_has(20)
        await home.bus.check()
        for task in tasks:
            task.cancel()
        await asyncio.wait(tasks)

        acknowledged = {name for sender in senders for name in sender.acknowledged}
        seen: list[str] = []
        async with asyncio.timeout(PATIENCE):
            while not acknowledged <= set(seen):
                records = await subscription.poll(100)
                seen += names(records)
                await subscription.commit(records)
    assert max(sender.slowest for sender in senders) < APPEND_SECONDS + IN_TIME
    first = {name: place for place, name in reversed(list(enumerate(seen)))}
    for sender in senders:
        assert sorted(sender.acknowledged, key=first.__getitem__) == sender.acknowledged


async def test_a_frozen_broker_is_told_in_time_and_found_again(
    cluster: KafkaCluster, home: KafkaHome
) -> None:
    await home.bus.append([keyed("before", "a")])
    cluster.brokers[0].pause()
    began = time.monotonic()
    with pytest.raises(StorageError):
        await home.bus.append([keyed("meanwhile", "a")])
    assert time.monotonic() - began < APPEND_SECONDS + IN_TIME
    began = time.monotonic()
    with pytest.raises(StorageError):
        await home.bus.check()
    assert time.monotonic() - began < CHECK_SECONDS + IN_TIME
    cluster.brokers[0].resume()
    async with asyncio.timeout(PATIENCE):
        while not await is_stored(home, "after", "a"):
            await asyncio.sleep(0.1)
    found = names(await everything(home))
    assert [name for name in found if name != "meanwhile"] == ["before", "after"]


async def test_a_subscription_outlives_its_broker(cluster: KafkaCluster, home: KafkaHome) -> None:
    async with home.bus.subscribe("dispatch") as subscription, asyncio.timeout(2 * PATIENCE):
        await home.bus.append([keyed("before", "a")])
        await subscription.commit(await subscription.poll(10))
        poll = asyncio.create_task(subscription.poll(10))
        await asyncio.to_thread(cluster.kill)
        with pytest.raises(StorageError):
            await subscription.lag()
        await asyncio.to_thread(cluster.start)
        async with home.another() as other:
            await other.append([keyed("after", "a")])
        assert names(await poll) == ["after"]


async def test_a_consumer_that_hears_nothing_for_long_is_rebuilt(
    cluster: KafkaCluster, home: KafkaHome
) -> None:
    """T62: Its minute has passed after two seconds."""
    bus = home.new_bus(monotonic=lambda: 30 * time.monotonic())
    with capture_logs() as said:
        async with bus.subscribe("dispatch") as subscription, asyncio.timeout(PATIENCE):
            await home.bus.append([keyed("before", "a")])
            await subscription.commit(await subscription.poll(10))
            cluster.brokers[0].pause()
            while not any(line["event"] == "consumer_rebuilt" for line in said):
                await asyncio.sleep(0.05)
            cluster.brokers[0].resume()
            async with home.another() as other:
                await other.append([keyed("after", "a")])
            assert names(await subscription.poll(10)) == ["after"]
    await bus.stop()


async def test_a_log_that_cannot_be_reached_is_an_error_at_the_start_but_not_with_a_spool(
    cluster: KafkaCluster, tmp_path: Path
) -> None:
    settings = new_settings()
    home = KafkaHome(cluster.address, settings)
    cluster.kill()
    bus = home.new_bus()
    with pytest.raises(StorageError, match=cluster.address):
        await bus.start()
    await bus.stop()

    home.settings = settings.model_copy(update={"spool": tmp_path / "spool.db"})
    await home.open()
    with pytest.raises(StorageError):
        await home.bus.append([keyed("too early", "a")])
    with pytest.raises(StorageError):
        await home.bus.recent(1)
    await asyncio.to_thread(cluster.start)
    assert kinds(await home.bus.append([keyed("event", "a")])) == ["Stored"]
    assert names(await home.bus.recent(1)) == ["event"]
    await home.close()


async def test_topics_that_are_missing_and_not_to_be_created_are_named(
    kafka_server: KafkaCluster,
) -> None:
    home = KafkaHome(kafka_server.address, new_settings(create_topics=False))
    bus = home.new_bus()
    with pytest.raises(SettingsError) as raised:
        await bus.start()
    await bus.stop()
    assert [problem.split()[1] for problem in raised.value.problems] == [
        home.settings.topic,
        f"{home.settings.topic}.dead",
    ]
    assert "kafka.create_topics" in str(raised.value)


async def test_more_copies_than_brokers_are_a_mistake_of_the_settings(
    kafka_server: KafkaCluster,
) -> None:
    home = KafkaHome(kafka_server.address, new_settings(replication=3))
    bus = home.new_bus()
    with pytest.raises(SettingsError, match=r"kafka\.replication"):
        await bus.start()
    await bus.stop()


async def create_topics(address: str, settings: KafkaSettings, *, dead_bytes: int) -> None:
    """Create topics as somebody else would, with limits of their own."""
    limits = {settings.topic: 100_000, f"{settings.topic}.dead": dead_bytes}
    admin = AIOKafkaAdminClient(bootstrap_servers=address)
    await admin.start()
    await admin.create_topics(
        [
            NewTopic(name, 2, 1, topic_configs={"max.message.bytes": str(limit)})
            for name, limit in limits.items()
        ]
    )
    await admin.close()


async def test_a_topic_of_others_with_a_lower_limit_takes_what_it_can(
    kafka_server: KafkaCluster,
) -> None:
    """T65."""
    settings = new_settings(create_topics=False)
    await create_topics(kafka_server.address, settings, dead_bytes=100_000)
    home = KafkaHome(kafka_server.address, settings)
    await home.open()
    with pytest.raises(TooLargeToStore, match=r"max\.message\.bytes"):
        await home.bus.append([keyed("large", "a", noise(100_000))])
    fitting = [keyed(f"fits {number}", "a", noise(90_000)) for number in range(5)]
    assert kinds(await home.bus.append(fitting)) == ["Stored"] * 5
    assert len(await everything(home)) == 5
    await home.close()


async def test_a_dead_letter_that_cannot_be_kept_is_waited_for(kafka_server: KafkaCluster) -> None:
    settings = new_settings(create_topics=False)
    await create_topics(kafka_server.address, settings, dead_bytes=10_000)
    home = KafkaHome(kafka_server.address, settings)
    await home.open()
    await home.bus.append([event("before")])
    await send_raw(home, noise(20_000), headers=[])
    await home.bus.append([event("after")])
    async with home.bus.subscribe("dispatch") as subscription, asyncio.timeout(PATIENCE):
        before = await subscription.poll(10)
        assert names(before) == ["before"]
        await subscription.commit(before)
        for _ in range(2):
            with pytest.raises(StorageError, match="dead letter"):
                await subscription.poll(10)
        assert await subscription.lag() == 2
    await home.close()
