"""A process that forgets is killed again and again: what is left is whole, and nothing runs again.

The same file is the process that is killed: `python test_pruning_kill.py FILE`. It says each time
that it has forgotten something.
"""

import asyncio
import os
import sys
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from itertools import count
from pathlib import Path

from sqlite_process import body_of, event

import hub
from hub.bus.schema import MIGRATIONS as BUS_MIGRATIONS
from hub.bus.sqlite import SqliteBus
from hub.journal.interface import Finished, PlannedRun, RunState, Step
from hub.journal.schema import MIGRATIONS as JOURNAL_MIGRATIONS
from hub.journal.sqlite import SqliteJournal
from hub.sqlite import Database

EVENTS = 150
SLICE = 2
PATIENCE_SECONDS = 60.0
NAMES = [f"{number:08d}" for number in range(EVENTS)]
DEAD = NAMES[::10]
NEVER = 1e10
"""A time that everything is older than."""

PLANS = [PlannedRun(envelope=event(name), handler="build", lane=name) for name in NAMES]


class Hub:
    """A log and a journal in one file."""

    def __init__(self, database: Database) -> None:
        self.database = database
        self.bus = SqliteBus(store=database)
        self.journal = SqliteJournal(store=database, clock=time.time)

    async def fill(self) -> None:
        await self.bus.append([plan.envelope for plan in PLANS])
        async with self.bus.subscribe("dispatch") as subscription:
            await subscription.commit(await self.bus.recent(1))
        await self.journal.plan(PLANS)
        for claim in await self.journal.claim(worker="one", limit=EVENTS):
            step = Step(number=1, name="x", action="{}", result="1", started_at=0, finished_at=1)
            await self.journal.record_steps(claim, [step])
            state = RunState.DEAD if claim.envelope.id in DEAD else RunState.DONE
            await self.journal.finish(claim, Finished(state=state))

    async def forget(self) -> bool:
        """Forget a little, and say whether there was anything."""
        runs = await self.journal.prune(runs_before=NEVER, keys_before=0, limit=SLICE)
        return bool(runs + await self.bus.prune(received_before=NEVER, limit=SLICE))

    async def check(self) -> int:
        """Check what is left, and return how many events and runs that is."""
        assert await self.number("PRAGMA integrity_check") == "ok"
        events = await self.bus.read(after=None, limit=EVENTS)
        assert [one.envelope.id for one in events] == NAMES[EVENTS - len(events) :]
        assert all(one.envelope.data == body_of(one.envelope.id) for one in events)
        assert await self.number("SELECT count(DISTINCT body) FROM event_pieces") == (
            await self.number("SELECT count(body) FROM events")
        )
        return len(events) + await self._check_runs()

    async def _check_runs(self) -> int:
        await self.journal.plan(PLANS)
        assert await self.journal.claim(worker="one", limit=1) == ()
        runs = await self.journal.runs(limit=EVENTS)
        assert {run.event_id for run in runs} >= set(DEAD)
        assert sum((await self.journal.counts()).values()) == len(runs)
        for run in runs:
            found = await self.journal.run(run.id)
            assert found is not None
            assert found[1] == event(run.event_id)
            assert len(await self.journal.steps(run.id)) == 1
            assert len(await self.journal.attempts(run.id)) == 1
        return len(runs)

    async def number(self, query: str) -> int | str:
        return await self.database.read(lambda file: file.execute(query).get)


@asynccontextmanager
async def owned(path: Path) -> AsyncIterator[Hub]:
    database = await Database.own(path)
    await database.migrate("bus", BUS_MIGRATIONS)
    await database.migrate("journal", JOURNAL_MIGRATIONS)
    yield Hub(database)
    await database.close()


async def forget(path: Path) -> None:
    async with owned(path) as opened:
        while await opened.forget():
            os.write(1, b"forgot\n")


async def forgetting(path: Path, *, kill_after: int) -> bool:
    """Run the process, and kill it after so many lines; return whether it was still at it."""
    process = await asyncio.create_subprocess_exec(
        sys.executable,
        __file__,
        str(path),
        stdout=asyncio.subprocess.PIPE,
        env={**os.environ, "PYTHONPATH": str(Path(hub.__file__).parents[1])},
    )
    assert process.stdout is not None
    async with asyncio.timeout(PATIENCE_SECONDS):
        for _ in range(kill_after):
            if not await process.stdout.readline():
                break
        else:
            process.kill()
        return await process.wait() != 0


async def test_forgetting_survives_a_kill_at_any_point(tmp_path: Path) -> None:
    path = tmp_path / "hub.db"
    async with owned(path) as opened:
        await opened.fill()
        left = await opened.check()
    for turn in count():
        killed = await forgetting(path, kill_after=5 + turn)
        async with owned(path) as opened:
            before, left = left, await opened.check()
        if not killed:
            break
        assert left < before
    assert turn > 3
    assert left == 1 + len(DEAD) + 1


if __name__ == "__main__":
    asyncio.run(forget(Path(sys.argv[1])))
