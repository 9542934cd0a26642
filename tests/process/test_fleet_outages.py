"""Workers and brokers go away, one of them or all, and come back.

`TRUNKLINE_FAULT_SECONDS` says for how long, `TRUNKLINE_SEED` where the dice begin.
"""

import asyncio
import os
import random
from collections import Counter
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from functools import partial
from pathlib import Path

import pytest
from fleet import Fleet, fleet, ground
from served import Served, eventually, let_pass
from servers.kafka import KafkaCluster, kafka_cluster
from servers.postgres import PostgresServer
from surroundings import KEY
from test_fleet import CAUGHT_UP_SECONDS, all_handled, body_of
from test_serve_repeats import in_order
from wire import Answer, ask, delivery

KEYS = 20
SEED = int(os.environ.get("TRUNKLINE_SEED", "1"))
OUTAGE_SECONDS = float(os.environ.get("TRUNKLINE_FAULT_SECONDS", "6"))
RECORDING = {"dispatch": {"handlers_module": "recording_handlers"}}
UNAVAILABLE = 503


class Sender:
    """Sends deliveries one after the other, each again until it is acknowledged, as GitHub's."""

    def __init__(self, hub: Fleet) -> None:
        self._hub = hub
        self.acknowledged: list[str] = []
        self.answers: Counter[int] = Counter()

    async def send(self) -> Answer:
        name = f"{len(self.acknowledged):05d}-of-{len(self.acknowledged) % KEYS}"
        while True:
            answer = await ask(self._hub.port, delivery(name, body_of(name), key=KEY))
            self.answers[answer.status] += 1
            if answer.status == 202:
                self.acknowledged.append(name)
                return answer
            assert answer.status == UNAVAILABLE
            assert int(answer.headers["retry-after"]) > 0

    @asynccontextmanager
    async def sending(self) -> AsyncIterator[None]:
        """Send on and on meanwhile."""

        async def on_and_on() -> None:
            while True:
                await self.send()

        task = asyncio.create_task(on_and_on())
        try:
            yield
        finally:
            task.cancel()
            await asyncio.wait([task])
            if not task.cancelled():
                task.result()

    async def until_another(self, number: int) -> None:
        """Wait until so many more were acknowledged."""
        goal = len(self.acknowledged) + number

        async def reached() -> bool:
            return len(self.acknowledged) >= goal

        await eventually(reached)


async def aside(work: Callable[[], None]) -> None:
    await asyncio.to_thread(work)


def is_whole_and_in_order(handled: list[tuple[str, str]], acknowledged: list[str]) -> bool:
    """Whether each was handled once, and those under one key in the order they were sent."""
    names = [name for _, name in handled]
    # What was under way when the sender stopped may have been taken without an answer.
    whole = set(acknowledged) <= set(names) and len(names) <= len(acknowledged) + 1
    return whole and all(key == sorted(key) for key in in_order(handled).values())


@pytest.mark.timeout(120 + 2 * OUTAGE_SECONDS)
async def test_workers_come_and_go_and_nothing_is_lost_or_out_of_order(
    kafka_server: KafkaCluster, postgres_server: PostgresServer, tmp_path: Path
) -> None:
    """T61, I1, I2, I11. The group is shared out anew about every two seconds."""
    record = tmp_path / "record"
    async with fleet(
        tmp_path,
        ground(kafka_server.address, postgres_server),
        workers=3,
        changes=RECORDING,
        environment={"RECORD_FILE": str(record)},
    ) as hub:
        await hub.start()
        sender, moody = Sender(hub), random.Random(SEED)
        end = asyncio.get_running_loop().time() + 2 * OUTAGE_SECONDS
        async with sender.sending():
            while asyncio.get_running_loop().time() < end:
                worker = moody.choice(hub.workers[1:])
                await worker.stop()
                await worker.start()
        handled = await all_handled(record, sender.acknowledged)
        assert await hub.stop() == [0] * 5
    assert sender.answers.keys() == {202}
    assert is_whole_and_in_order(handled, sender.acknowledged)
    assert len(handled) > KEYS


@pytest.mark.timeout(240)
async def test_a_broker_of_three_is_killed_and_nothing_that_was_acknowledged_is_lost(
    servers: None, postgres_server: PostgresServer, tmp_path: Path
) -> None:
    """I1, I2, I11. Each in turn, so that whoever leads is among them."""
    record = tmp_path / "record"
    with kafka_cluster(brokers=3) as kafka:
        async with fleet(
            tmp_path,
            ground(kafka.address, postgres_server, replication=3),
            changes=RECORDING | {"kafka": {"spool": None}},
            environment={"RECORD_FILE": str(record)},
        ) as hub:
            await hub.start()
            sender = Sender(hub)
            async with sender.sending():
                for broker in kafka.brokers:
                    await sender.until_another(KEYS)
                    await aside(broker.kill)
                    await sender.until_another(KEYS)
                    await aside(broker.start)
                await sender.until_another(KEYS)
            handled = await all_handled(record, sender.acknowledged)
            await eventually(partial(_is_zero, hub), within_seconds=CAUGHT_UP_SECONDS)
            assert await hub.stop() == [0] * 4
    assert is_whole_and_in_order(handled, sender.acknowledged)


@pytest.mark.timeout(240)
async def test_all_of_kafka_goes_away_and_a_spool_takes_what_comes(
    servers: None, postgres_server: PostgresServer, tmp_path: Path
) -> None:
    """T57, I1, I2, I11."""
    record = tmp_path / "record"
    with kafka_cluster() as kafka:
        async with fleet(
            tmp_path,
            ground(kafka.address, postgres_server),
            receivers=1,  # a spool keeps the order of what comes to one receiver
            changes=RECORDING,
            environment={"RECORD_FILE": str(record)},
        ) as hub:
            await hub.start()
            (receiver,) = hub.receivers
            sender = Sender(hub)
            async with sender.sending():
                await sender.until_another(KEYS)
                await aside(kafka.brokers[0].kill)
                await let_pass(OUTAGE_SECONDS)
                await sender.until_another(KEYS)
                assert await receiver.readiness() == 200
                await aside(kafka.brokers[0].start)
                await eventually(partial(_has_said, receiver, "spool_closed", 2))
                await sender.until_another(KEYS)
            handled = await all_handled(record, sender.acknowledged)
            assert await hub.stop() == [0] * 3
        assert receiver.said("spool_opened")
    assert sender.answers.keys() == {202}
    assert is_whole_and_in_order(handled, sender.acknowledged)


@pytest.mark.timeout(240)
async def test_without_a_spool_senders_hear_that_kafka_is_away(
    servers: None, postgres_server: PostgresServer, tmp_path: Path
) -> None:
    """T58."""
    record = tmp_path / "record"
    with kafka_cluster() as kafka:
        async with fleet(
            tmp_path,
            ground(kafka.address, postgres_server),
            receivers=1,
            workers=1,
            changes=RECORDING | {"kafka": {"spool": None}},
            environment={"RECORD_FILE": str(record)},
        ) as hub:
            await hub.start()
            (receiver,), (worker,) = hub.receivers, hub.workers
            sender = Sender(hub)
            await sender.send()
            await aside(kafka.brokers[0].kill)
            sending = asyncio.create_task(sender.send())
            await eventually(partial(_was_refused, sender))
            assert await receiver.readiness() == UNAVAILABLE
            before = len(worker.log.read_bytes().splitlines())
            await let_pass(3.0)
            assert len(worker.log.read_bytes().splitlines()) - before < 60, "it floods its log"
            await aside(kafka.brokers[0].start)
            await sending
            await receiver.ready()
            handled = await all_handled(record, sender.acknowledged)
            assert await hub.stop() == [0, 0]
    assert is_whole_and_in_order(handled, sender.acknowledged)


async def test_a_hub_that_cannot_reach_kafka_ends_when_it_is_told_to(
    servers: None, postgres_server: PostgresServer, tmp_path: Path
) -> None:
    with kafka_cluster() as kafka:
        async with fleet(tmp_path, ground(kafka.address, postgres_server)) as hub:
            await hub.start()
            await aside(kafka.brokers[0].kill)
            assert await asyncio.gather(*(member.stop() for member in hub.members)) == [0] * 4


async def _is_zero(hub: Fleet) -> bool:
    return await hub.lag() == 0


async def _has_said(receiver: Served, event: str, times: int) -> bool:
    return len(receiver.said(event)) >= times


async def _was_refused(sender: Sender) -> bool:
    return sender.answers[UNAVAILABLE] > 0
