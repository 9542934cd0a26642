"""What the log costs, on this disk: per event with a backlog behind it, and per commit under load.

    .venv/bin/python bench/bus_backlog.py [--sizes 10000 100000 1000000] [--folder DISK]

The logs of all sizes are measured in turns, so that a noisy neighbour hits all of them. What counts
is the ratio between them: 1.5 from the smallest to the largest is the goal. The third table says
how long others wait for their commit while a large body is written.
"""

import argparse
import asyncio
import os
import random
import resource
import tempfile
import time
from collections.abc import AsyncIterator, Iterator, Sequence
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass, field
from itertools import islice
from pathlib import Path
from statistics import median

from hub.bus.schema import MIGRATIONS
from hub.bus.sqlite import SqliteBus
from hub.events.envelope import Envelope
from hub.sqlite import Database

FILL_BATCH = 500
ROUND_EVENTS = 4_096
"""Events appended to each log in a turn."""
APPENDERS = (1, 16, 64, 256)
LARGE_BYTES = 25 * 1024 * 1024


@dataclass
class Cost:
    """Microseconds per event of each turn, by the wall and of the processor."""

    wall: list[float] = field(default_factory=list)
    cpu: list[float] = field(default_factory=list)

    def __str__(self) -> str:
        return f"{median(self.wall):6.0f} wall {median(self.cpu):6.0f} CPU"


def events(body_bytes: int) -> Iterator[Envelope]:
    """Make events without end, with ids as random as those of senders."""
    chance = random.Random(7)
    words = [f"{chance.getrandbits(64):x}" for _ in range(5_000)]
    pool = [
        " ".join(chance.choices(words, k=body_bytes // 16))[:body_bytes].encode() for _ in range(64)
    ]
    while True:
        repository = f"company/service-{chance.randrange(500)}"
        yield Envelope(
            id=f"{chance.getrandbits(128):032x}",
            source=f"https://api.github.com/repos/{repository}",
            type="com.github.push",
            partitionkey=repository,
            data=chance.choice(pool),
            hubkey="github/first",
        )


@asynccontextmanager
async def log(path: Path) -> AsyncIterator[SqliteBus]:
    """Open a log."""
    database = await Database.own(path)
    await database.migrate("bus", MIGRATIONS)
    yield SqliteBus(store=database)
    await database.close()


async def append_all(bus: SqliteBus, some: Sequence[Envelope], *, appenders: int) -> list[float]:
    """Append by so many at once, an event at a time; return how long each append took."""
    left = iter(some)
    seconds: list[float] = []

    async def appender() -> None:
        for event in left:
            began = time.perf_counter()
            await bus.append([event])
            seconds.append(time.perf_counter() - began)

    await asyncio.gather(*(appender() for _ in range(appenders)))
    return seconds


async def turn(bus: SqliteBus, some: Sequence[Envelope], cost: Cost, *, appenders: int) -> None:
    """Append some events and note what each has cost."""
    wall, cpu = time.perf_counter(), time.process_time()
    await append_all(bus, some, appenders=appenders)
    cost.wall.append((time.perf_counter() - wall) / len(some) * 1e6)
    cost.cpu.append((time.process_time() - cpu) / len(some) * 1e6)


async def backlogs(folder: Path, asked: argparse.Namespace) -> None:
    """Measure appends to logs of several sizes."""
    made = events(asked.body)
    costs = {size: {appenders: Cost() for appenders in APPENDERS} for size in asked.sizes}
    async with AsyncExitStack() as stack:
        logs = {}
        for size in asked.sizes:
            logs[size] = bus = await stack.enter_async_context(log(folder / f"{size}.db"))
            for _ in range(size // FILL_BATCH):
                await bus.append(list(islice(made, FILL_BATCH)))
        for _ in range(asked.rounds):
            for size, bus in logs.items():
                for appenders, cost in costs[size].items():
                    some = list(islice(made, ROUND_EVENTS // (8 if appenders == 1 else 1)))
                    await turn(bus, some, cost, appenders=appenders)
    print(f"µs per event, bodies of {asked.body} B, by events on the log and appenders at once")
    for size, by_appenders in costs.items():
        row = "   ".join(f"{appenders:3d}: {cost}" for appenders, cost in by_appenders.items())
        print(f"{size:9,d}   {row}")
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss // 1024
    print(f"peak memory of the process with all of these logs open: {peak} MiB\n")


async def throughput(folder: Path, asked: argparse.Namespace) -> None:
    """Measure how many events a second become durable."""
    made = events(asked.body)
    print(f"events per second, bodies of {asked.body} B")
    async with log(folder / "throughput.db") as bus:
        for appenders in APPENDERS:
            some = list(islice(made, 1_000 if appenders == 1 else 10_000))
            began = time.perf_counter()
            seconds = sorted(await append_all(bus, some, appenders=appenders))
            rate = len(some) / (time.perf_counter() - began)
            print(f"{appenders:4d} at once: {rate:7,.0f}/s   {_quantiles(seconds)}")


async def neighbours(folder: Path, asked: argparse.Namespace) -> None:
    """Measure what a body that cannot be packed does to appends beside it."""
    made = events(asked.body)
    large = [
        Envelope(id=f"{n}", source="s", type="t", partitionkey="k", data=os.urandom(LARGE_BYTES))
        for n in range(3)
    ]
    print("\nan append beside others")
    async with log(folder / "neighbours.db") as bus:
        for name, beside in (("small ones only", []), ("three of 25 MiB, unpackable", large)):
            task = asyncio.gather(*(bus.append([event]) for event in beside))
            seconds = await append_all(bus, list(islice(made, 3_000)), appenders=4)
            await task
            print(f"{name:28}: {_quantiles(sorted(seconds))}")


def _quantiles(seconds: Sequence[float]) -> str:
    at = {"p50": 0.5, "p99": 0.99, "max": 1.0}
    last = len(seconds) - 1
    return "   ".join(
        f"{name} {seconds[int(share * last)] * 1e3:.1f} ms" for name, share in at.items()
    )


async def main() -> None:
    """Measure and print."""
    asked = arguments()
    with tempfile.TemporaryDirectory(dir=asked.folder) as name:
        await backlogs(Path(name), asked)
        await throughput(Path(name), asked)
        await neighbours(Path(name), asked)


def arguments() -> argparse.Namespace:
    """Read the command line."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--sizes", type=int, nargs="+", default=[10_000, 100_000, 1_000_000])
    parser.add_argument("--rounds", type=int, default=8)
    parser.add_argument("--body", type=int, default=7_000, help="bytes")
    parser.add_argument("--folder", help="where to make the files (3 GB); on the disk to measure")
    return parser.parse_args()


if __name__ == "__main__":
    asyncio.run(main())
