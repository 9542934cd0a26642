"""The log in SQLite keeps the contract, and its costs do not grow with what is on it."""

import asyncio
import tempfile
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from dataclasses import dataclass
from itertools import count
from pathlib import Path
from typing import TypeVar

import apsw
import pytest
from bus_home import MIB, SOON, Home, event, everything, kinds, names, noise
from bus_one_machine import OneMachineSuite
from bus_suite import BusSuite

from hub.bus import dedupe
from hub.bus.interface import Bus, Position
from hub.bus.reading import ENOUGH_BYTES
from hub.bus.schema import MIGRATIONS
from hub.bus.sqlite import SqliteBus
from hub.errors import Malformed, StorageError
from hub.sqlite import Database, Job

T = TypeVar("T")


class SqliteHome:
    """A file, and whoever owns it now."""

    def __init__(self, path: Path) -> None:
        self.path = path

    async def open(self) -> None:
        self.database = await Database.own(self.path)
        await self.database.migrate("bus", MIGRATIONS)
        self.bus: Bus = SqliteBus(store=self.database)

    async def close(self) -> None:
        await self.database.close()

    async def restart(self) -> None:
        await self.close()
        await self.open()

    async def count(self, query: str) -> int:
        return await self.database.read(lambda file: int(file.execute(query).get))


@asynccontextmanager
async def sqlite_home() -> AsyncIterator[SqliteHome]:
    with tempfile.TemporaryDirectory() as folder:
        home = SqliteHome(Path(folder) / "log.db")
        await home.open()
        yield home
        await home.close()


@pytest.fixture
async def home() -> AsyncIterator[SqliteHome]:
    async with sqlite_home() as opened:
        yield opened


class TestSqliteBus(BusSuite, OneMachineSuite):
    def open_home(self) -> AbstractAsyncContextManager[Home]:
        return sqlite_home()


@dataclass
class Watched:
    """A store that tells of each write before it is done."""

    database: Database
    before: Callable[[int], None]
    writes: int = 0

    async def write(self, job: Job[T], *, size: int = 0) -> T:
        self.writes += 1
        self.before(self.writes)
        return await self.database.write(job, size=size)

    async def read(self, query: Job[T]) -> T:
        return await self.database.read(query)

    async def migrate(self, component: str, migrations: Sequence[str]) -> None:
        await self.database.migrate(component, migrations)

    @property
    def path(self) -> Path:
        return self.database.path

    @property
    def owned(self) -> bool:
        return self.database.owned


FILLED = dedupe.RECENT_EVENTS + 1_000


@pytest.fixture
async def settled(home: SqliteHome) -> SqliteHome:
    """A log with enough events for most of their keys to have been moved to the disk."""
    await home.bus.append([event(f"{number:08d}") for number in range(FILLED)])
    async with asyncio.timeout(6 * SOON):
        for number in count():
            await home.bus.append([event(f"more {number}")])
            if await home.count("SELECT seq FROM event_keys_settled"):
                break
    return home


async def test_an_event_is_known_wherever_its_key_lies(settled: SqliteHome) -> None:
    places = (0, 20_000, dedupe.RECENT_EVENTS, FILLED - 1)
    known = [*(event(f"{number:08d}") for number in places), event("more 0")]
    for _ in range(2):
        assert kinds(await settled.bus.append(known)) == ["Duplicate"] * len(known)
        for one in known:
            assert one.id in names(await settled.bus.find(one.id))
        await settled.restart()
    assert kinds(await settled.bus.append([event("new")])) == ["Stored"]


async def test_keys_on_the_disk_are_not_kept_in_memory_too(settled: SqliteHome) -> None:
    def in_memory(file: apsw.Connection) -> int:
        return int(file.execute("SELECT count(*) FROM temp.recent_keys").get)

    assert await settled.database.write(in_memory) < dedupe.RECENT_EVENTS / 2


async def test_an_append_costs_the_same_whatever_is_on_the_log(home: SqliteHome) -> None:
    instructions = 0

    def step() -> bool:
        nonlocal instructions
        instructions += 1
        return False

    async def cost_of(name: str) -> int:
        before = instructions
        await home.bus.append([event(name)])
        return instructions - before

    await home.bus.append([event("first")])
    await home.database.write(lambda file: file.set_progress_handler(step, 1))
    few = [await cost_of(f"few {number}") for number in range(5)]
    await home.bus.append([event(str(number)) for number in range(5_000)])
    assert max([await cost_of(f"many {number}") for number in range(5)]) == max(few)


async def test_events_with_the_same_key_are_told_apart(home: SqliteHome) -> None:
    await home.bus.append([event("a")])
    key = dedupe.key_of(event("b").source, "b")
    await home.database.write(lambda file: file.execute("UPDATE events SET key = ?", (key,)).get)
    await home.restart()
    assert kinds(await home.bus.append([event("b")])) == ["Stored"]
    assert kinds(await home.bus.append([event("b")])) == ["Duplicate"]
    assert names(await home.bus.find("b")) == ["b"]


async def test_what_another_process_appends_is_seen_and_known(home: SqliteHome) -> None:
    await home.bus.append([event("ours")])
    visitor = await Database.visit(home.path)
    theirs = SqliteBus(store=visitor)
    async with home.bus.subscribe("dispatch") as subscription:
        await subscription.poll(10)
        poll = asyncio.create_task(subscription.poll(10))
        assert kinds(await theirs.append([event("ours"), event("theirs")])) == [
            "Duplicate",
            "Stored",
        ]
        async with asyncio.timeout(SOON):
            assert names(await poll) == ["theirs"]
    assert kinds(await home.bus.append([event("theirs"), event("new")])) == ["Duplicate", "Stored"]
    assert kinds(await theirs.append([event("new")])) == ["Duplicate"]
    await visitor.close()


async def test_an_append_undone_by_its_neighbour_in_the_sequence_can_be_done_later(
    home: SqliteHome,
) -> None:
    await home.bus.append([event("taken", b"1")])
    for _ in range(3):
        await home.bus.append([event("new"), event("taken", b"2")])
    assert kinds(await home.bus.append([event("new")])) == ["Stored"]
    assert kinds(await home.bus.append([event("new")])) == ["Duplicate"]


LARGE = noise(2 * MIB)


async def test_pieces_of_a_body_that_failed_are_swept_before_the_next(home: SqliteHome) -> None:
    def fail(write: int) -> None:
        if write == 6:
            raise StorageError("no room")

    bus = SqliteBus(store=Watched(home.database, fail))
    with pytest.raises(StorageError, match="no room"):
        await bus.append([event("first", LARGE)])
    assert await home.count("SELECT count(*) FROM event_pieces") > 0
    await bus.append([event("second", LARGE)])
    assert await home.count("SELECT count(DISTINCT body) FROM event_pieces") == 1
    assert await home.count("SELECT count(*) FROM open_bodies") == 0
    assert names(await everything(home)) == ["second"]


@pytest.mark.parametrize("write", range(1, 14))
async def test_a_large_append_that_is_cancelled_is_whole_or_leaves_nothing(
    home: SqliteHome, write: int
) -> None:
    def cancel(count: int) -> None:
        if count == write:
            task.cancel()

    task = asyncio.create_task(
        SqliteBus(store=Watched(home.database, cancel)).append([event("large", LARGE)])
    )
    await asyncio.wait([task])
    await home.restart()
    await SqliteBus(store=home.database).recover()
    records = await everything(home)
    assert [record.envelope.data for record in records] in ([], [LARGE])
    assert await home.count("SELECT count(DISTINCT body) FROM event_pieces") == len(records)
    assert await home.count("SELECT count(*) FROM open_bodies") == 0


async def test_a_poll_takes_only_so_many_bytes_into_memory(home: SqliteHome) -> None:
    size = ENOUGH_BYTES // 2
    await home.bus.append([event(str(number), bytes(size)) for number in range(5)])
    async with home.bus.subscribe("dispatch") as subscription:
        polls = [names(await subscription.poll(100)) for _ in range(3)]
    assert polls == [["0", "1"], ["2", "3"], ["4"]]


@pytest.mark.parametrize("position", ["", "last", "-1", "1.5", "٣", "9" * 40])
async def test_a_position_from_elsewhere_is_refused(home: SqliteHome, position: str) -> None:
    with pytest.raises(Malformed):
        await home.bus.read(after=Position(position), limit=1)


async def test_a_damaged_body_is_an_error_of_the_storage(home: SqliteHome) -> None:
    await home.bus.append([event("push")])
    await home.database.write(lambda file: file.execute("UPDATE events SET data = x'00'").get)
    with pytest.raises(StorageError, match="damaged"):
        await home.bus.recent(1)
