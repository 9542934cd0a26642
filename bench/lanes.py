"""Runs a second where many lanes wait for others: what the journal takes from the ideal."""

import time
from itertools import islice
from pathlib import Path
from statistics import median
from tempfile import TemporaryDirectory

from bench.dispatch import runner_of
from bench.engines import engines_of, on_sqlite
from bench.handler import WHILE_SECONDS, take_a_while
from bench.table import Row
from hub.events.envelope import Envelope
from hub.journal.interface import Journal, PlannedRun, RunState
from hub.settings import Settings

LANES = {100: 60, 1_000: 12}
"""Runs in each lane: some seconds of work at the ideal rate or what comes near it."""

ROUNDS = 3
GOAL = 0.85


async def measure() -> list[Row]:
    """Measure the journal in SQLite."""
    with TemporaryDirectory(prefix="trunkline-bench-") as folder:
        return await measure_in(on_sqlite(Path(folder)), "SQLite")


async def measure_in(settings: Settings, name: str) -> list[Row]:
    """Measure the journal of these settings."""
    async with engines_of(settings) as engines:
        journal, _ = await engines.open_journal()
        return [await _lanes(journal, lanes, each, name) for lanes, each in LANES.items()]


async def _lanes(journal: Journal, lanes: int, each: int, name: str) -> Row:
    shares, rates, costs = [], [], []
    for number in range(ROUNDS):
        await _plan(journal, lanes, each, f"{lanes}-{number}")
        wall, cpu = await _work_off(journal, lanes)
        rates.append(lanes * each / wall)
        shares.append(each * WHILE_SECONDS / wall)
        costs.append(cpu / (lanes * each) * 1e6)
    share = median(shares)
    return Row(
        what=f"{lanes:,} lanes of {WHILE_SECONDS * 1000:.0f} ms handlers, journal in {name}",
        measured=f"{share:.0%} of ideal; {median(rates):,.0f} runs/s, {median(costs):.0f} µs CPU",
        goal=f">= {GOAL:.0%} of ideal",
        reached=share >= GOAL,
    )


async def _plan(journal: Journal, lanes: int, each: int, name: str) -> None:
    runs = (
        PlannedRun(
            envelope=_push(f"{name}-{lane}-{number}", f"{lane:040x}"),
            handler=take_a_while.name,
            lane=f"{take_a_while.name}/{lane}",
        )
        for number in range(each)
        for lane in range(lanes)
    )
    while batch := list(islice(runs, 500)):
        await journal.plan(batch)


async def _work_off(journal: Journal, lanes: int) -> tuple[float, float]:
    """Return the seconds of wall and of CPU until nothing is left."""
    runner = runner_of(journal, take_a_while, concurrency=lanes)
    began, cpu = time.perf_counter(), time.process_time()
    await runner.drain()
    took = time.perf_counter() - began, time.process_time() - cpu
    left = (await journal.counts()).get(RunState.READY, 0)
    assert left == 0, f"{left} runs are left"
    return took


def _push(name: str, after: str) -> Envelope:
    body = (
        f'{{"ref": "refs/heads/main", "after": "{after}", "repository": '
        '{"full_name": "company/order-service", "name": "order-service"}}'
    )
    return Envelope(
        id=name,
        source="https://github.com/company/order-service",
        type="com.github.push",
        partitionkey="company/order-service",
        data=body.encode(),
    )
