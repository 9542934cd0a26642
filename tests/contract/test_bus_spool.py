"""A log with a spool in front of it takes events while the log cannot be reached."""

import asyncio
import tempfile
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path

import pytest
from bus_home import SOON, event, everything, kinds, names

from hub.bus.interface import Receipt
from hub.bus.schema import MIGRATIONS
from hub.bus.spool import SpooledBus
from hub.bus.sqlite import SqliteBus
from hub.errors import StorageError, TooLargeToStore
from hub.events.envelope import Envelope
from hub.sqlite import Database

LIMIT_BYTES = 1000


class Remote(SqliteBus):
    """A log that can be out of reach, and that has a limit."""

    def __init__(self, *, store: Database) -> None:
        super().__init__(store=store)
        self.reached = asyncio.Event()
        self.reached.set()

    async def append(self, events: Sequence[Envelope]) -> Sequence[Receipt]:
        if not self.reached.is_set():
            raise StorageError("no broker answers")
        if any(len(one.data) > LIMIT_BYTES for one in events):
            raise TooLargeToStore("more than the topic takes")
        return await super().append(events)

    async def check(self) -> None:
        if not self.reached.is_set():
            raise StorageError("no broker answers")


@dataclass
class Home:
    """A remote log, and the file of a spool that outlives its process."""

    bus: Remote
    path: Path
    slept: list[float] = field(default_factory=list)

    async def sleep(self, seconds: float) -> None:
        """Wait until the log is back, however long the spool would have waited to look again."""
        self.slept.append(seconds)
        await self.bus.reached.wait()

    @asynccontextmanager
    async def spooled(self) -> AsyncIterator[SpooledBus]:
        database = await Database.own(self.path)
        await database.migrate("bus", MIGRATIONS)
        spooled = SpooledBus(
            bus=self.bus,
            spool=SqliteBus(store=database),
            clock=lambda: float("inf"),
            sleep=self.sleep,
        )
        moving = asyncio.create_task(spooled.run())
        try:
            yield spooled
        finally:
            moving.cancel()
            await asyncio.wait([moving])
            await database.close()

    async def left_in_spool(self) -> int:
        database = await Database.visit(self.path)
        left = await database.read(
            lambda file: int(file.execute("SELECT count(*) FROM events").get)
        )
        await database.close()
        return left


@pytest.fixture
async def home() -> AsyncIterator[Home]:
    with tempfile.TemporaryDirectory() as folder:
        database = await Database.own(Path(folder) / "log.db")
        await database.migrate("bus", MIGRATIONS)
        yield Home(bus=Remote(store=database), path=Path(folder) / "spool.db")
        await database.close()


async def until(holds: Callable[[], Awaitable[bool]]) -> None:
    async with asyncio.timeout(SOON):
        while not await holds():
            await asyncio.sleep(0)


async def drained(spooled: SpooledBus) -> None:
    async def holds() -> bool:
        return not spooled.spooling

    await until(holds)


async def test_while_the_log_is_there_nothing_is_spooled(home: Home) -> None:
    async with home.spooled() as spooled:
        await drained(spooled)
        assert kinds(await spooled.append([event("a")])) == ["Stored"]
        assert names(await everything(home)) == ["a"]
        assert await home.left_in_spool() <= 1  # the newest stays, to count on from


async def test_what_is_taken_while_the_log_is_gone_comes_to_it_in_order(home: Home) -> None:
    async with home.spooled() as spooled:
        await drained(spooled)
        await spooled.append([event("before")])
        home.bus.reached.clear()
        for name in ("a", "b", "c"):
            assert kinds(await spooled.append([event(name)])) == ["Stored"]
        assert names(await everything(home)) == ["before"]
        home.bus.reached.set()
        await drained(spooled)
        await spooled.append([event("after")])
        assert names(await everything(home)) == ["before", "a", "b", "c", "after"]
    assert await home.left_in_spool() <= 1  # the newest stays, to count on from


async def test_what_a_dead_process_has_spooled_is_moved_by_the_next(home: Home) -> None:
    home.bus.reached.clear()
    async with home.spooled() as spooled:
        await spooled.append([event("a"), event("b")])
    home.bus.reached.set()
    async with home.spooled() as spooled:
        await drained(spooled)
        assert names(await everything(home)) == ["a", "b"]


async def test_events_that_come_while_the_spool_empties_stay_behind_it(home: Home) -> None:
    home.bus.reached.clear()
    async with home.spooled() as spooled:
        for number in range(500):
            await spooled.append([event(f"{number:04d}")])
        home.bus.reached.set()
        number = 500
        while spooled.spooling:
            await spooled.append([event(f"{number:04d}")])
            number += 1
        await spooled.append([event("last")])
    told = names(await everything(home))
    assert told == [*(f"{one:04d}" for one in range(number)), "last"]


@pytest.mark.parametrize(
    "unfit", [event("known", b"2"), event("large", bytes(LIMIT_BYTES + 1))], ids=lambda e: e.id
)
async def test_an_event_that_the_log_never_takes_holds_up_no_other(
    home: Home, unfit: Envelope
) -> None:
    await home.bus.append([event("known", b"1")])
    home.bus.reached.clear()
    async with home.spooled() as spooled:
        for one in (event("a"), unfit, event("b")):
            await spooled.append([one])
        home.bus.reached.set()
        await drained(spooled)
    assert names(await everything(home)) == ["known", "a", "b"]


async def test_an_event_too_large_for_the_log_is_refused_while_it_is_there(home: Home) -> None:
    async with home.spooled() as spooled:
        await drained(spooled)
        with pytest.raises(TooLargeToStore):
            await spooled.append([event("large", bytes(LIMIT_BYTES + 1))])
        assert not spooled.spooling


async def test_it_is_ready_as_long_as_one_of_the_two_can_be_written(home: Home) -> None:
    async with home.spooled() as spooled:
        await drained(spooled)
        await spooled.check()
        home.bus.reached.clear()
        await spooled.check()
        await spooled.append([event("a")])
        await spooled.check()
