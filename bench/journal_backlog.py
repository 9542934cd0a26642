"""What a run costs in the journal when ten thousand wait, and when a million do.

    python bench/journal_backlog.py [--lanes 100000] [--large 1000000]

Two journals, one with a small and one with a large backlog, are measured in turns in one process,
each round planning as many runs as it finishes, so that a backlog keeps its size. Wall time has
the disk in it; CPU time is that of all threads.
"""

import argparse
import asyncio
import random
import resource
import tempfile
import time
from collections.abc import AsyncIterator, Awaitable, Iterator
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path

from hub.events.envelope import Envelope
from hub.journal.interface import Finished, PlannedRun, RunState
from hub.journal.schema import MIGRATIONS
from hub.journal.sqlite import SqliteJournal
from hub.sqlite import Database

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

    journal: SqliteJournal
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
    folder: Path, *, size: int, lanes: int, body_bytes: int
) -> AsyncIterator[Backlog]:
    """Open a journal in which `size` runs wait."""
    database = await Database.own(folder / f"{size}.db")
    await database.migrate("journal", MIGRATIONS)
    made = Backlog(
        journal=SqliteJournal(store=database, clock=time.time),
        events=events(lanes=lanes, body_bytes=body_bytes),
        lanes=lanes,
    )
    for _ in range(size // BATCH):
        await made.plan(made.batch())
    yield made
    await database.close()


async def main() -> None:
    """Measure and print."""
    asked = arguments()
    sizes = (asked.small, asked.large)
    with tempfile.TemporaryDirectory(dir=asked.folder) as folder:
        async with AsyncExitStack() as stack:
            shape = {"lanes": asked.lanes, "body_bytes": asked.body}
            backlogs = [
                await stack.enter_async_context(backlog(Path(folder), size=size, **shape))
                for size in sizes
            ]
            for _ in range(asked.rounds):
                for one in backlogs:
                    await one.round()
            print(f"µs per run, {asked.lanes} lanes, bodies of {asked.body} B")
            for size, one in zip(sizes, backlogs, strict=True):
                print(f"{size:9d} pending: plan {one.planning}   claim {one.claiming}", end="")
                print(f"   finish {one.finishing}")
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss // 1024
    print(f"peak memory {peak} MiB")


def arguments() -> argparse.Namespace:
    """Read the command line."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--small", type=int, default=10_000)
    parser.add_argument("--large", type=int, default=1_000_000)
    parser.add_argument("--lanes", type=int, default=100_000)
    parser.add_argument("--rounds", type=int, default=20)
    parser.add_argument("--body", type=int, default=600, help="bytes")
    parser.add_argument("--folder", help="where to make the files; on the disk to be measured")
    return parser.parse_args()


if __name__ == "__main__":
    asyncio.run(main())
