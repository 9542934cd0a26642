"""What is kept no longer goes, in the log and in the journal, hour by hour."""

import asyncio
from collections.abc import AsyncIterator
from pathlib import Path

import pytest
from bus_home import event
from journal_home import DONE, Clock
from structlog.testing import capture_logs

from hub.bus.schema import MIGRATIONS as BUS_MIGRATIONS
from hub.bus.sqlite import SqliteBus
from hub.errors import StorageError
from hub.journal.interface import PlannedRun
from hub.journal.schema import MIGRATIONS as JOURNAL_MIGRATIONS
from hub.journal.sqlite import SqliteJournal
from hub.settings import RetentionSettings
from hub.sqlite import Database
from hub.wiring.retention import SLICE, keep_tidy, tidy

DAY = 86_401.0
"""And a second: what is kept for a day is kept to its last moment."""
SOON = 5.0
KEPT = RetentionSettings(events_days=1, runs_days=2, keys_days=3)


class Hub:
    """A log and a journal in one file, and the way of an event through both."""

    def __init__(self, database: Database) -> None:
        self.clock = Clock()
        self.bus = SqliteBus(store=database, clock=self.clock)
        self.journal = SqliteJournal(store=database, clock=self.clock)

    async def handle(self, *names: str) -> int:
        """Take events in, and execute their runs; return how many there were."""
        await self.bus.append([event(name) for name in names])
        async with self.bus.subscribe("dispatch") as subscription, asyncio.timeout(SOON):
            records = await subscription.poll(len(names))
            plans = [
                PlannedRun(envelope=one.envelope, handler="build", lane=one.envelope.id)
                for one in records
            ]
            await self.journal.plan(plans)
            await subscription.commit(records)
        claims = await self.journal.claim(worker="one", limit=len(names))
        for claim in claims:
            await self.journal.finish(claim, DONE)
        return len(claims)

    async def tidy(self) -> None:
        await tidy(settings=KEPT, journal=self.journal, log=self.bus, now=self.clock())

    async def left(self) -> tuple[int, int]:
        """Return how many events and runs there are."""
        events = await self.bus.read(after=None, limit=10_000)
        return len(events), len(await self.journal.runs(limit=10_000))


@pytest.fixture
async def hub(tmp_path: Path) -> AsyncIterator[Hub]:
    database = await Database.own(tmp_path / "hub.db")
    await database.migrate("bus", BUS_MIGRATIONS)
    await database.migrate("journal", JOURNAL_MIGRATIONS)
    yield Hub(database)
    await database.close()


async def test_events_runs_and_keys_each_go_in_their_time(hub: Hub) -> None:
    await hub.handle("old")
    hub.clock.now += DAY
    await hub.handle("newer")
    await hub.tidy()
    assert await hub.left() == (1, 2)
    hub.clock.now += DAY
    await hub.tidy()
    assert await hub.left() == (1, 1)
    assert await hub.handle("old") == 0
    hub.clock.now += DAY
    await hub.handle("newest")
    await hub.tidy()
    assert await hub.handle("old") == 1


async def test_what_went_is_told_once(hub: Hub) -> None:
    names = [str(number) for number in range(2 * SLICE + 1)]
    await hub.handle(*names)
    hub.clock.now += 3 * DAY
    await hub.handle("newer")
    with capture_logs() as said:
        await hub.tidy()
        await hub.tidy()
    assert said == [
        {"event": "pruned", "log_level": "info", "runs": len(names), "events": len(names)}
    ]
    assert await hub.left() == (1, 1)


class Failing:
    """A log whose disk fails for a while."""

    def __init__(self, failures: int) -> None:
        self.failures = failures
        self.tidied = asyncio.Event()

    async def prune(self, *, received_before: float, limit: int) -> int:
        if self.failures:
            self.failures -= 1
            raise StorageError("no room")
        self.tidied.set()
        return 0


async def test_a_storage_that_fails_is_waited_out(hub: Hub) -> None:
    await hub.handle("old")
    hub.clock.now += 3 * DAY
    await hub.handle("newer")
    log = Failing(1)
    with capture_logs() as said:
        keeping = asyncio.create_task(
            keep_tidy(settings=KEPT, journal=hub.journal, log=log, clock=hub.clock)
        )
        async with asyncio.timeout(SOON):
            await log.tidied.wait()
        keeping.cancel()
        await asyncio.wait([keeping])
    assert [one["event"] for one in said] == ["pruning_paused"]
    assert (await hub.left())[1] == 1


async def test_a_journal_is_kept_tidy_beside_a_log_that_keeps_itself(hub: Hub) -> None:
    await hub.handle("old")
    hub.clock.now += 3 * DAY
    await hub.handle("newer")
    await tidy(settings=KEPT, journal=hub.journal, log=None, now=hub.clock())
    assert await hub.left() == (2, 1)
