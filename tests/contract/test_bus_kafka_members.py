"""Members of one group share a log on Kafka, and what is no event does not stop them."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager

import pytest
from aiokafka import TopicPartition
from aiokafka.admin import AIOKafkaAdminClient, RecordsToDelete
from bus_home import SOON, event, names, noise
from kafka_home import PATIENCE, KafkaHome, kafka_home, keyed, raw_records, send_raw
from servers.kafka import KafkaCluster

from hub.bus.interface import Record, Subscription
from hub.bus.reading import ENOUGH_BYTES

KEYS = [f"company/{number}" for number in range(24)]


@pytest.fixture
async def home(kafka_server: KafkaCluster) -> AsyncIterator[KafkaHome]:
    async with kafka_home(kafka_server) as opened:
        yield opened


class Worker:
    """A member that notes what it is given, and commits it."""

    def __init__(self) -> None:
        self.seen: list[Record] = []

    async def work(self, subscription: Subscription) -> None:
        while True:
            records = await subscription.poll(10)
            self.seen += records
            await subscription.commit(records)

    def keys(self, prefix: str) -> set[str]:
        return {
            record.envelope.partitionkey
            for record in self.seen
            if record.envelope.id.startswith(prefix)
        }


@asynccontextmanager
async def workers(home: KafkaHome, count: int) -> AsyncIterator[list[Worker]]:
    """Run members of one group, each as if it were a process of its own."""
    async with AsyncExitStack() as stack:
        members = [Worker() for _ in range(count)]
        tasks = []
        for member in members:
            bus = await stack.enter_async_context(home.another())
            subscription = await stack.enter_async_context(bus.subscribe("dispatch"))
            tasks.append(asyncio.create_task(member.work(subscription)))
        try:
            yield members
        finally:
            for task in tasks:
                task.cancel()
            await asyncio.wait(tasks)


async def append_until_all_are_seen(home: KafkaHome, members: list[Worker], wave: str) -> None:
    await home.bus.append([keyed(f"{wave} {key}", key) for key in KEYS])
    async with asyncio.timeout(PATIENCE):
        while set().union(*(member.keys(wave) for member in members)) < set(KEYS):
            await asyncio.sleep(0.05)


async def until_each_has_keys(home: KafkaHome, members: list[Worker]) -> None:
    async with asyncio.timeout(PATIENCE):
        for number in range(1000):
            wave = f"wave {number}:"
            await append_until_all_are_seen(home, members, wave)
            if all(member.keys(wave) for member in members):
                return


async def test_members_share_the_keys_and_each_event_comes_to_one_of_them(home: KafkaHome) -> None:
    async with workers(home, 2) as members:
        await until_each_has_keys(home, members)
        for wave in ("first:", "second:"):
            await append_until_all_are_seen(home, members, wave)
        one, other = members
        assert one.keys("first:") == one.keys("second:")
        assert other.keys("first:") == other.keys("second:")
        assert not one.keys("first:") & other.keys("first:")
        seen = sorted(names(one.seen + other.seen))
        assert [name for name in seen if name.startswith("first:")] == sorted(
            f"first: {key}" for key in KEYS
        )


async def test_a_member_that_leaves_hands_over_what_it_has_not_committed(home: KafkaHome) -> None:
    await home.bus.append([event(name) for name in "abc"])
    async with home.another() as other, other.subscribe("dispatch") as leaving:
        first = await leaving.poll(2)
        await leaving.commit(first[:1])
    async with home.bus.subscribe("dispatch") as subscription:
        assert names(await subscription.poll(10)) == ["b", "c"]


async def test_a_commit_after_the_partitions_have_gone_is_left_to_the_others(
    home: KafkaHome,
) -> None:
    await home.bus.append([keyed(f"{key} 1", key) for key in KEYS])
    async with home.another() as other, other.subscribe("dispatch") as late:
        polled: list[Record] = []
        while len(polled) < len(KEYS):
            polled += await late.poll(100)
        member = Worker()
        async with home.bus.subscribe("dispatch") as subscription:
            task = asyncio.create_task(member.work(subscription))
            async with asyncio.timeout(PATIENCE):
                while not member.seen:
                    await asyncio.sleep(0.05)
            await late.commit(polled)
            async with asyncio.timeout(PATIENCE):
                while await late.lag() != len(KEYS) - len(member.seen):
                    await asyncio.sleep(0.05)
            task.cancel()
            await asyncio.wait([task])
    again = {record.envelope.id for record in member.seen}
    assert again < {record.envelope.id for record in polled}


async def test_more_members_than_partitions_wait_and_take_over(home: KafkaHome) -> None:
    """T62."""
    async with workers(home, 4) as members:
        await append_until_all_are_seen(home, members, "before:")
        waiting = [member for member in members if not member.seen]
        assert waiting
    async with workers(home, 1) as members:
        await append_until_all_are_seen(home, members, "after:")


async def test_a_poll_takes_only_so_many_bytes_into_memory(home: KafkaHome) -> None:
    size = ENOUGH_BYTES // 2
    await home.bus.append([event(str(number), noise(size - 4096)) for number in range(3)])
    async with home.bus.subscribe("dispatch") as subscription:
        seen: list[str] = []
        while len(seen) < 3:
            polled = await subscription.poll(100)
            assert len(polled) <= 3
            seen += names(polled)
    assert seen == ["0", "1", "2"]


async def dead_letters(home: KafkaHome) -> list[tuple[bytes | None, dict[str, bytes]]]:
    return await raw_records(home, f"{home.settings.topic}.dead")


async def test_a_record_that_is_no_event_is_kept_and_stops_nobody(home: KafkaHome) -> None:
    """T64."""
    await home.bus.append([event("before")])
    await send_raw(home, b"\xff poison", headers=[("ce_id", b"1"), ("other", b"\xfe")])
    await home.bus.append([event("after")])
    async with home.bus.subscribe("dispatch") as subscription:
        seen: list[Record] = []
        async with asyncio.timeout(PATIENCE):
            while len(seen) < 2:
                seen += await subscription.poll(10)
        await subscription.commit(seen)
        assert await subscription.lag() == 0
    assert names(seen) == ["before", "after"]
    ((value, headers),) = await dead_letters(home)
    assert value == b"\xff poison"
    assert (headers["ce_id"], headers["other"]) == (b"1", b"\xfe")
    assert headers["dead-topic"] == home.settings.topic.encode()
    assert int(headers["dead-offset"]) == 1
    assert headers["dead-partition"].isdigit()
    assert b"UTF-8" in headers["dead-reason"]


async def test_records_that_are_no_events_are_committed_though_no_event_follows(
    home: KafkaHome,
) -> None:
    await send_raw(home, b"first", headers=[])
    await home.bus.append([event("only")])
    await send_raw(home, b"last", headers=[])
    async with home.bus.subscribe("dispatch") as subscription:
        records = await subscription.poll(10)
        assert names(records) == ["only"]
        poll = asyncio.create_task(subscription.poll(10))
        async with asyncio.timeout(PATIENCE):
            while len(await dead_letters(home)) < 2:
                await asyncio.sleep(0.05)
        # What stands behind an event that is not committed is not committed either.
        assert await subscription.lag() >= 2
        await subscription.commit(records)
        async with asyncio.timeout(SOON):
            while await subscription.lag():
                await asyncio.sleep(0.05)
        poll.cancel()
        await asyncio.wait([poll])
    assert [value for value, _ in await dead_letters(home)] == [b"first", b"last"]


async def test_records_that_were_deleted_unread_cost_only_themselves(home: KafkaHome) -> None:
    """T66: a group whose place is gone goes on at the oldest event left, not at the newest."""
    receipts = await home.bus.append([event(str(number)) for number in range(6)])
    async with home.bus.subscribe("dispatch") as subscription:
        await subscription.commit(await subscription.poll(2))
    topic, partition, _ = receipts[0].position.split("/")
    admin = AIOKafkaAdminClient(bootstrap_servers=home.address)
    await admin.start()
    await admin.delete_records({TopicPartition(topic, int(partition)): RecordsToDelete(4)})
    await admin.close()
    async with home.bus.subscribe("dispatch") as subscription, asyncio.timeout(PATIENCE):
        assert await subscription.lag() == 2
        assert names(await subscription.poll(10)) == ["4", "5"]
