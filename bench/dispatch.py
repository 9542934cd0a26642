"""From the log to the handler: how soon after the 202, and at what cost for each event."""

import asyncio
import io
import json
import random
import time
from contextlib import nullcontext
from pathlib import Path
from statistics import median, quantiles
from tempfile import TemporaryDirectory
from typing import Any

from bench.handler import HANDLERS, note_arrival
from bench.table import Row
from handlers import HANDLERS as BUILT_IN
from hub.bus.schema import MIGRATIONS as BUS_MIGRATIONS
from hub.bus.sqlite import SqliteBus
from hub.dispatch.attempt import Attempts
from hub.dispatch.outcome import Dead, Parked
from hub.dispatch.platform import Platform
from hub.dispatch.retry import RetryPolicy
from hub.dispatch.router import GROUP, Router
from hub.dispatch.routing import decide
from hub.dispatch.runner import Runner
from hub.events.envelope import Envelope
from hub.events.types import PUSH
from hub.journal.interface import Claim, RunState
from hub.journal.schema import MIGRATIONS as JOURNAL_MIGRATIONS
from hub.journal.sqlite import SqliteJournal
from hub.sqlite import Database
from hub.telemetry.logging import configure
from hub.telemetry.metrics import new_metrics

EVENTS = 20_000
SEQUENTIAL = 300
START_GOAL_MS = 2.0
CPU_GOAL_US = 25.0


async def measure() -> list[Row]:
    """Measure, and return the rows."""
    with TemporaryDirectory(prefix="trunkline-bench-") as folder:
        configure("info", _Nowhere())  # type: ignore[arg-type]
        database = await Database.own(Path(folder) / "hub.db")
        await database.migrate("bus", BUS_MIGRATIONS)
        await database.migrate("journal", JOURNAL_MIGRATIONS)
        bus = SqliteBus(store=database)
        journal = SqliteJournal(store=database, clock=time.time)
        router = Router(journal=journal, handlers=HANDLERS)
        runner = _runner(journal)
        async with bus.subscribe(GROUP) as subscription:
            tasks = [
                asyncio.create_task(router.run(subscription)),
                asyncio.create_task(runner.run()),
            ]
            start = await _starts(bus, journal)
            cost = await _costs(bus, journal)
            await runner.stop(within_seconds=5)
            for task in tasks:
                task.cancel()
            await asyncio.gather(*tasks, return_exceptions=True)
        await database.close()
    return [start, _decides(), cost]


def _decides() -> Row:
    """Which of the built-in handlers want a push, without the journal."""
    events = [_push(f"decide-{number}") for number in range(EVENTS)]
    cpu = time.process_time()
    for event in events:
        decide(BUILT_IN, event)
    used = (time.process_time() - cpu) / EVENTS * 1e6
    return Row(
        what="deciding which of the built-in handlers want an event",
        measured=f"{used:.0f} µs CPU an event",
        goal=f"<= {CPU_GOAL_US:g} µs CPU",
        reached=used <= CPU_GOAL_US,
    )


class _Nowhere(io.RawIOBase):
    """A log that takes its lines and keeps none."""

    def write(self, line: Any) -> int:
        return memoryview(line).nbytes


async def _starts(bus: SqliteBus, journal: SqliteJournal) -> Row:
    """One event at a time: from durable to the handler's start."""
    waits = []
    for number in range(SEQUENTIAL):
        event = _push(f"sequential-{number}")
        await bus.append([event])
        durable = time.time()
        while not (
            runs := await journal.runs(event=(event.source, event.id), states=[RunState.DONE])
        ):
            await asyncio.sleep(0.001)
        (attempt,) = await journal.attempts(runs[0].id)
        waits.append((attempt.started_at - durable) * 1000)
    middle, late = median(waits), quantiles(waits, n=100)[98]
    return Row(
        what="from durable to the handler's start, one at a time",
        measured=f"median {middle:.2f} ms, p99 {late:.1f} ms",
        goal=f"median <= {START_GOAL_MS:g} ms",
        reached=middle <= START_GOAL_MS,
    )


async def _costs(bus: SqliteBus, journal: SqliteJournal) -> Row:
    """A backlog of events: the CPU of routing, claiming, calling and finishing."""
    done_before = (await journal.counts())[RunState.DONE]
    events = [_push(f"backlog-{number}") for number in range(EVENTS)]
    append_before = time.process_time()
    for first in range(0, EVENTS, 500):
        await bus.append(events[first : first + 500])
    appended, began = time.process_time() - append_before, time.perf_counter()
    cpu = time.process_time()
    while (await journal.counts())[RunState.DONE] - done_before < EVENTS:
        await asyncio.sleep(0.02)
    used = (time.process_time() - cpu) / EVENTS * 1e6
    wall = time.perf_counter() - began
    return Row(
        what="all of dispatch, durably: route, journal, claim, call, finish",
        measured=(
            f"{used:.0f} µs CPU an event, {EVENTS / wall:,.0f} runs/s "
            f"(append {appended / EVENTS * 1e6:.0f} µs)"
        ),
        goal="",
        reached=None,
    )


def _push(name: str) -> Envelope:
    body = {
        "ref": "refs/heads/main",
        "after": f"{random.getrandbits(160):040x}",
        "repository": {"full_name": "company/order-service", "name": "order-service"},
    }
    return Envelope(
        id=name,
        source="https://github.com/company/order-service",
        type=PUSH,
        partitionkey="company/order-service",
        data=json.dumps(body).encode(),
    )


async def _bury(_claim: Claim, _outcome: Dead | Parked) -> None:
    """Nothing dies here."""


def _runner(journal: SqliteJournal) -> Runner:
    return Runner(
        attempts=Attempts(
            handlers={note_arrival.name: note_arrival},
            journal=journal,
            performers={},
            platform=Platform(),
            retry=RetryPolicy(),
            timeout_seconds=60,
            clock=time.time,
            chance=random.Random(1),
            metrics=new_metrics().dispatch,
        ),
        concurrency=100,
        worker="bench",
        bury=_bury,
        running=lambda _handler: nullcontext(),
    )
