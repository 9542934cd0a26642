"""Senders repeat themselves, and everything happens once.

`TRUNKLINE_DELIVERIES` says how many deliveries there are (each is sent three times).
"""

import asyncio
import os
import random
from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator
from pathlib import Path

import pytest
from served import eventually
from surroundings import KEY, Alone
from wire import delivery, line_to, push

DELIVERIES = int(os.environ.get("TRUNKLINE_DELIVERIES", "10000"))
COPIES = 3
KEYS = 50
SENDERS = 32
SEED = 20_261_122


def in_order(pairs: Iterable[tuple[str, str]]) -> dict[str, list[str]]:
    """Return what came under each key, in order."""
    found = defaultdict(list)
    for key, name in pairs:
        found[key].append(name)
    return dict(found)


@pytest.mark.timeout(60 + DELIVERIES / 20)
async def test_deliveries_sent_three_times_and_shuffled_are_each_handled_once_and_in_order(
    alone: Alone, tmp_path: Path
) -> None:
    """I2, I11."""
    record = tmp_path / "record"
    names = [f"{number:05d}-of-{number % KEYS}" for number in range(DELIVERIES)]
    copies = names * COPIES
    random.Random(SEED).shuffle(copies)
    answers: Counter[tuple[int, bool]] = Counter()

    async def send(work: Iterator[str]) -> None:
        async with line_to(hub.port) as line:
            for name in work:
                body = push(f"company/{name.rpartition('-')[2]}", after=f"{int(name[:5]):040x}")
                answer = await line.ask(delivery(name, body, key=KEY))
                answers[answer.status, answer.duplicate] += 1

    async with alone(dispatch={"handlers_module": "recording_handlers"}) as hub:
        hub.environment["RECORD_FILE"] = str(record)
        await hub.start()
        work = iter(copies)
        await asyncio.gather(*(send(work) for _ in range(SENDERS)))
        async with hub.files() as files:
            await eventually(files.quiet, within_seconds=60 + DELIVERIES / 50)
            records = await files.bus.read(after=None, limit=2 * len(copies))
        assert await hub.stop() == 0

    assert answers == {(202, False): DELIVERIES, (202, True): (COPIES - 1) * DELIVERIES}
    log = [(record.envelope.partitionkey, record.envelope.id) for record in records]
    assert sorted(name for _, name in log) == names
    handled = [line.split() for line in record.read_text().splitlines()]
    assert sorted(name for _, _, name in handled) == names
    assert all(int(commit, 16) == int(name[:5]) for _, commit, name in handled)
    assert in_order((key, name) for key, _, name in handled) == in_order(log)
    assert len(in_order(log)) == min(KEYS, DELIVERIES)
