"""From the log to the handler: how soon after the 202, and at what cost for each event."""

import asyncio
import json
import random
import time
from contextlib import nullcontext
from dataclasses import replace
from pathlib import Path
from statistics import median, quantiles
from tempfile import TemporaryDirectory

from bench.engines import on_sqlite, opened
from bench.handler import HANDLERS, note_arrival
from bench.table import Row
from handlers import HANDLERS as BUILT_IN
from hub.bus.interface import Bus
from hub.dispatch.attempt import Attempts
from hub.dispatch.handler import Handler
from hub.dispatch.outcome import Dead, Parked
from hub.dispatch.platform import Platform
from hub.dispatch.retry import RetryPolicy
from hub.dispatch.router import GROUP, Router
from hub.dispatch.routing import decide
from hub.dispatch.runner import Runner
from hub.events.envelope import Envelope
from hub.events.types import PUSH
from hub.journal.interface import Claim, Journal, RunState
from hub.settings import Settings
from hub.telemetry.metrics import new_metrics

EVENTS = 20_000
SEQUENTIAL = 300
START_GOAL_MS = 2.0
CPU_GOAL_US = 25.0


async def measure() -> list[Row]:
    """Measure, and return the rows."""
    with TemporaryDirectory(prefix="trunkline-bench-") as folder:
        async with opened(on_sqlite(Path(folder))) as (bus, journal):
            start, cost = await _dispatched(bus, journal)
    return [start, _decides(), cost]


async def measure_on_servers(settings: Settings) -> list[Row]:
    """Measure the same over Kafka and PostgreSQL, and return the rows."""
    async with opened(settings) as (bus, journal):
        rows = await _dispatched(bus, journal)
    return [
        replace(row, what=f"{row.what}, over Kafka and PostgreSQL", goal="", reached=None)
        for row in rows
    ]


async def _dispatched(bus: Bus, journal: Journal) -> tuple[Row, Row]:
    router = Router(journal=journal, handlers=HANDLERS)
    runner = runner_of(journal, note_arrival, concurrency=100)
    async with bus.subscribe(GROUP) as subscription:
        tasks = [
            asyncio.create_task(router.run(subscription)),
            asyncio.create_task(runner.run()),
        ]
        await _starts(bus, journal, "warming")
        start = await _starts(bus, journal, "sequential")
        cost = await _costs(bus, journal)
        await runner.stop(within_seconds=5)
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
    return start, cost


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


async def _starts(bus: Bus, journal: Journal, name: str) -> Row:
    """One event at a time: from durable to the handler's start."""
    waits = []
    for number in range(SEQUENTIAL):
        event = _push(f"{name}-{number}")
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


async def _costs(bus: Bus, journal: Journal) -> Row:
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


def runner_of(journal: Journal, handler: Handler, *, concurrency: int) -> Runner:
    """Return a runner that knows one handler."""
    return Runner(
        attempts=Attempts(
            handlers={handler.name: handler},
            journal=journal,
            performers={},
            platform=Platform(),
            retry=RetryPolicy(),
            timeout_seconds=60,
            clock=time.time,
            chance=random.Random(1),
            metrics=new_metrics().dispatch,
        ),
        concurrency=concurrency,
        worker="bench",
        bury=_bury,
        running=lambda _handler: nullcontext(),
    )
