"""What a run costs in the journal when ten thousand wait, and when a million do.

    PYTHONPATH=tests python -m bench.journal_backlog [--postgres] [--lanes 100000]

Two journals, one with a small and one with a large backlog, are measured in turns in one process,
each round planning as many runs as it finishes, so that a backlog keeps its size. Wall time has
the disk in it; CPU time is that of all threads here, and none of PostgreSQL's.
"""

import argparse
import asyncio
import random
import resource
import tempfile
import time
from collections.abc import AsyncIterator, Awaitable, Iterator, Sequence
from contextlib import AsyncExitStack, ExitStack, asynccontextmanager, contextmanager
from dataclasses import dataclass, field
from pathlib import Path

from servers.postgres import postgres

from bench.engines import engines_of, on_servers, on_sqlite
from hub.events.envelope import Envelope
from hub.journal.interface import Finished, Journal, PlannedRun, RunState
from hub.settings import Settings

BATCH = 500
"""Events that the router plans in one go."""
SLOTS = 100
"""Runs that are executed at the same time."""


@dataclass(slots=True)
class Cost:
    """Seconds of wall and CPU time, and the runs they were spent on."""

    wall: float = 0.0
    cpu: float = 0.0
    runs: int = 0

    async def measure(self, work: Awaitable[int]) -> None:
        """Add what `work` takes; it returns how many runs it dealt with."""
        wall, cpu = time.perf_counter(), time.process_time()
        self.runs += await work
        self.wall += time.perf_counter() - wall
        self.cpu += time.process_time() - cpu

    def __str__(self) -> str:
        per_run = 1e6 / max(self.runs, 1)
        return f"{self.wall * per_run:7.1f} wall {self.cpu * per_run:6.1f} CPU"


@dataclass(slots=True)
class Backlog:
    """A journal, and what its runs have cost."""

    journal: Journal
    events: Iterator[Envelope]
    lanes: int
    planning: Cost = field(default_factory=Cost)
    claiming: Cost = field(default_factory=Cost)
    finishing: Cost = field(default_factory=Cost)

    def batch(self) -> list[PlannedRun]:
        """Make a batch of new runs."""
        return [self._run(next(self.events)) for _ in range(BATCH)]

    async def plan(self, runs: list[PlannedRun]) -> int:
        """Plan a batch."""
        await self.journal.plan(runs)
        return len(runs)

    def _run(self, envelope: Envelope) -> PlannedRun:
        lane = f"start_pipeline_run/{envelope.partitionkey}"
        return PlannedRun(envelope=envelope, handler="start_pipeline_run", lane=lane)

    async def round(self) -> None:
        """Plan a batch, and claim and finish as many."""
        await self.planning.measure(self.plan(self.batch()))
        left = BATCH
        while left:
            left -= await self._execute(min(left, SLOTS, self.lanes))

    async def _execute(self, limit: int) -> int:
        claims = []

        async def claim() -> int:
            claims.extend(await self.journal.claim(worker="bench", limit=limit))
            return len(claims)

        async def finish() -> int:
            done = Finished(state=RunState.DONE)
            await asyncio.gather(*(self.journal.finish(one, done) for one in claims))
            return len(claims)

        await self.claiming.measure(claim())
        await self.finishing.measure(finish())
        return len(claims)


def events(*, lanes: int, body_bytes: int) -> Iterator[Envelope]:
    """Make events without end, with ids and lanes as random as those of senders."""
    chance = random.Random(7)
    filler = " ".join(chance.choice(_WORDS) for _ in range(body_bytes))[:body_bytes]
    number = 0
    while True:
        number += 1
        repository = f"company/service-{chance.randrange(lanes):06d}"
        yield Envelope(
            id=f"{chance.getrandbits(128):032x}",
            source=f"https://api.github.com/repos/{repository}",
            type="com.github.push",
            partitionkey=repository,
            data=f'{{"number": {number}, "text": "{filler}"}}'.encode(),
            time="2026-01-01T00:00:00Z",
            hubkey="github/first",
        )


_WORDS = ("push", "commit", "branch", "refs/heads/main", "pipeline", "image", "deployment")


@asynccontextmanager
async def backlog(
    settings: Settings, *, size: int, lanes: int, body_bytes: int
) -> AsyncIterator[Backlog]:
    """Open a journal in which `size` runs wait."""
    async with engines_of(settings) as engines:
        journal, _ = await engines.open_journal()
        made = Backlog(
            journal=journal, events=events(lanes=lanes, body_bytes=body_bytes), lanes=lanes
        )
        for _ in range(size // BATCH):
            await made.plan(made.batch())
        yield made


async def restart(settings: Settings) -> float:
    """Return the seconds that a new process takes until it has its first run."""
    began = time.perf_counter()
    async with engines_of(settings) as engines:
        journal, _ = await engines.open_journal()
        (claim,) = await journal.claim(worker="bench", limit=1)
        took = time.perf_counter() - began
        await journal.release(claim)
    return took


async def main() -> None:
    """Measure and print."""
    asked = arguments()
    sizes = (asked.small, asked.large)
    with homes(asked, sizes) as settings:
        async with AsyncExitStack() as stack:
            shape = {"lanes": asked.lanes, "body_bytes": asked.body}
            backlogs = [
                await stack.enter_async_context(backlog(home, size=size, **shape))
                for home, size in zip(settings, sizes, strict=True)
            ]
            for _ in range(asked.rounds):
                for one in backlogs:
                    await one.round()
            print(f"µs per run, {asked.lanes} lanes, bodies of {asked.body} B")
            for size, one in zip(sizes, backlogs, strict=True):
                print(f"{size:9d} pending: plan {one.planning}   claim {one.claiming}", end="")
                print(f"   finish {one.finishing}")
        for size, home in zip(sizes, settings, strict=True):
            print(f"{size:9d} pending: the first run {await restart(home):.2f} s after a start")
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss // 1024
    print(f"peak memory {peak} MiB")


@contextmanager
def homes(asked: argparse.Namespace, sizes: Sequence[int]) -> Iterator[list[Settings]]:
    """Make a journal of its own for each backlog."""
    with ExitStack() as stack:
        if asked.postgres:
            server = stack.enter_context(postgres())
            yield [
                on_servers(
                    kafka="127.0.0.1:9092",  # nobody asks for the log here
                    postgres=server.fresh_database(),
                    password_file=server.password_file,
                )
                for _ in sizes
            ]
        else:
            folders = [
                stack.enter_context(tempfile.TemporaryDirectory(dir=asked.folder)) for _ in sizes
            ]
            yield [on_sqlite(Path(folder)) for folder in folders]


def arguments() -> argparse.Namespace:
    """Read the command line."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--small", type=int, default=10_000)
    parser.add_argument("--large", type=int, default=1_000_000)
    parser.add_argument("--lanes", type=int, default=100_000)
    parser.add_argument("--rounds", type=int, default=20)
    parser.add_argument("--body", type=int, default=600, help="bytes")
    parser.add_argument("--postgres", action="store_true", help="in PostgreSQL; else in SQLite")
    parser.add_argument("--folder", help="where to make the files; on the disk to be measured")
    return parser.parse_args()


if __name__ == "__main__":
    asyncio.run(main())
