"""Several receivers and workers are one hub.

`TRUNKLINE_FLEET_DELIVERIES` says how many deliveries there are (each is sent twice).
"""

import asyncio
import os
import random
from collections import Counter
from collections.abc import Collection, Iterator
from pathlib import Path

import pytest
from fleet import EXAMPLE, Fleet, fleet, ground
from served import eventually
from servers.kafka import KafkaCluster
from servers.postgres import PostgresServer
from surroundings import KEY, Alone
from test_serve_repeats import in_order
from wire import ask, delivery, line_to, push

from hub.configuration import KafkaAddress, PostgresAddress, bus_address, journal_address, load

DELIVERIES = int(os.environ.get("TRUNKLINE_FLEET_DELIVERIES", "600"))
KEYS = 20
SEED = int(os.environ.get("TRUNKLINE_SEED", "1"))
CAUGHT_UP_SECONDS = 30.0
"""After which nothing may be left to do: the promise of docs/operating.md."""

WRONG_SETTINGS = 78


def body_of(name: str) -> bytes:
    """Make the body of a push whose name is `<number>-of-<key>`."""
    return push(f"company/{name.rpartition('-')[2]}", after=f"{int(name[:5]):040x}")


def test_the_example_settings_are_good() -> None:
    settings = load(EXAMPLE, {})
    assert isinstance(bus_address(settings.bus), KafkaAddress)
    assert isinstance(journal_address(settings.journal), PostgresAddress)


@pytest.mark.timeout(240)
async def test_deliveries_to_any_receiver_are_each_handled_once_by_any_worker_and_in_order(
    kafka_server: KafkaCluster, postgres_server: PostgresServer, tmp_path: Path
) -> None:
    """I1, I2, I11."""
    record = tmp_path / "record"
    names = [f"{number:05d}-of-{number % KEYS}" for number in range(DELIVERIES)]
    copies = names * 2
    random.Random(SEED).shuffle(copies)
    answers: Counter[int] = Counter()

    async def send(hub: Fleet, work: Iterator[str]) -> None:
        async with line_to(hub.port) as line:
            for name in work:
                answer = await line.ask(delivery(name, body_of(name), key=KEY))
                answers[answer.status] += 1

    async with fleet(
        tmp_path,
        ground(kafka_server.address, postgres_server),
        changes={"dispatch": {"handlers_module": "recording_handlers"}},
        environment={"RECORD_FILE": str(record)},
    ) as hub:
        await hub.start()
        work = iter(copies)
        await asyncio.gather(*(send(hub, work) for _ in range(16)))
        handled = await all_handled(record, names)
        async with hub.files() as files:
            records = await files.bus.read(after=None, limit=4 * DELIVERIES)
        shares = [len(worker.said("run_ended")) for worker in hub.workers]
        assert await hub.stop() == [0, 0, 0, 0]

    assert answers == {202: len(copies)}
    assert sorted(name for _, name in handled) == names
    first = dict.fromkeys((one.envelope.partitionkey, one.envelope.id) for one in records)
    assert in_order(handled) == in_order(first)
    assert min(shares) > 0, "one of the workers had nothing to do"


async def all_handled(record: Path, names: Collection[str]) -> list[tuple[str, str]]:
    """Return the key and the name of all that was handled, once these are among it."""

    async def lines() -> list[list[str]]:
        text = record.read_text() if record.exists() else ""
        found = [line.split() for line in text.splitlines()]
        return found if {*names} <= {name for _, _, name in found} else []

    found = await eventually(lines, within_seconds=CAUGHT_UP_SECONDS + len(names) / 50)
    return [(key, name) for key, _, name in found]


async def test_a_receiver_imports_nothing_that_acts_and_needs_no_credential_for_it(
    kafka_server: KafkaCluster, postgres_server: PostgresServer, tmp_path: Path
) -> None:
    async with fleet(
        tmp_path,
        ground(kafka_server.address, postgres_server),
        receivers=1,
        workers=1,
        changes={"slack": {"token": {"file": "no-such-file"}}},
        environment={"PYTHONPROFILEIMPORTTIME": "1"},
    ) as hub:
        (receiver,) = hub.receivers
        await receiver.start()
        assert (await ask(receiver.port, delivery("a", push(), key=KEY))).status == 202
        lines = receiver.log.read_text().splitlines()
        imported = {line.rpartition("|")[2].strip() for line in lines if "import time:" in line}
    packages = {name.split(".")[0] for name in imported}
    rooms = {".".join(name.split(".")[:2]) for name in imported}
    assert {"aiokafka", "aiohttp"} <= packages
    assert packages & {"handlers", "asyncpg", "slack_sdk"} == set()
    assert rooms & {"hub.actions", "hub.clients", "hub.dispatch", "hub.sandbox"} == set()


@pytest.mark.parametrize("role", ["receiver", "worker"])
async def test_a_role_that_shares_a_log_is_refused_on_one_that_belongs_to_a_process(
    alone: Alone, role: str
) -> None:
    async with alone() as hub:
        done = await hub.run("serve", "--role", role)
    assert done.code == WRONG_SETTINGS
    assert f"bus: a {role} shares the log with other processes" in done.complained
