"""The log in SQLite forgets what every group is done with, from its beginning and nothing else."""

from collections.abc import AsyncIterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TypeVar

import apsw
import pytest
from bus_home import MIB, event, everything, kinds, names, noise

from hub.bus import dedupe
from hub.bus.interface import Bus
from hub.bus.schema import MIGRATIONS
from hub.bus.sqlite import SqliteBus
from hub.errors import StorageError
from hub.sqlite import Database, Job
from hub.sqlite.forgetting import ENOUGH_BYTES

T = TypeVar("T")

TABLES = ("events", "event_keys", "event_pieces")


@dataclass
class Clock:
    """The time, under the test's control: a second for each append."""

    now: float = 1_000.0

    def __call__(self) -> float:
        self.now += 1
        return self.now


class Log:
    """A log, and its file."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self.clock = Clock()

    async def open(self) -> None:
        self.database = await Database.own(self._path)
        await self.database.migrate("bus", MIGRATIONS)
        self.sqlite = SqliteBus(store=self.database, clock=self.clock)
        self.bus: Bus = self.sqlite

    async def restart(self) -> None:
        await self.database.close()
        await self.open()

    async def append(self, *names: str) -> None:
        for name in names:
            await self.bus.append([event(name)])

    async def commit(self, *, group: str = "dispatch", until: str) -> None:
        async with self.bus.subscribe(group) as subscription:
            records = await everything(self)
            place = names(records).index(until)
            await subscription.commit(records[: place + 1])

    async def prune(self, *, before: float = 1e10, limit: int = 10_000) -> int:
        return await self.sqlite.prune(received_before=before, limit=limit)

    async def left(self) -> list[str]:
        return names(await everything(self))

    async def number(self, query: str) -> int:
        return await self.database.read(lambda file: int(file.execute(query).get))

    async def rows(self) -> list[int]:
        return [await self.number(f"SELECT count(*) FROM {table}") for table in TABLES]  # noqa: S608  one of ours


@pytest.fixture
async def log(tmp_path: Path) -> AsyncIterator[Log]:
    opened = Log(tmp_path / "log.db")
    await opened.open()
    yield opened
    await opened.database.close()


async def test_what_every_group_has_committed_is_forgotten(log: Log) -> None:
    await log.append(*"abcde")
    await log.commit(group="dispatch", until="d")
    await log.commit(group="audit", until="c")
    assert await log.prune() == 3
    assert await log.left() == ["d", "e"]
    await log.restart()
    assert await log.left() == ["d", "e"]
    assert await log.prune() == 0


async def test_without_a_group_nothing_is_forgotten(log: Log) -> None:
    await log.append(*"abc")
    assert await log.prune() == 0
    async with log.bus.subscribe("dispatch"):
        assert await log.prune() == 0
    assert await log.left() == list("abc")


async def test_forgetting_ends_at_the_first_event_that_is_younger(log: Log) -> None:
    await log.append(*"ab")
    time = log.clock.now
    await log.append("c")
    log.clock.now -= 100
    await log.append(*"de")
    await log.commit(until="e")
    assert await log.prune(before=time) == 1
    assert await log.prune(before=time + 1) == 1
    assert await log.left() == list("cde")


async def test_no_more_are_forgotten_than_asked_for(log: Log) -> None:
    await log.append(*"abcdef")
    await log.commit(until="f")
    assert await log.prune(limit=2) == 2
    assert await log.left() == list("cdef")
    assert await log.prune(limit=4) == 3


async def test_positions_stay_good(log: Log) -> None:
    await log.append(*"abcdef")
    first, *_, last = await everything(log)
    await log.commit(until="d")
    async with log.bus.subscribe("dispatch") as subscription:
        await log.prune()
        assert names(await log.bus.read(after=first.position, limit=1)) == ["e"]
        assert names(await log.bus.read(after=None, limit=1)) == ["e"]
        assert names(await log.bus.recent(10)) == ["e", "f"]
        assert await subscription.lag() == 2
        records = await subscription.poll(10)
        assert names(records) == ["e", "f"]
        assert records[-1].position == last.position


async def test_a_new_group_begins_at_the_first_event_left(log: Log) -> None:
    await log.append(*"abcd")
    await log.commit(until="b")
    await log.prune()
    async with log.bus.subscribe("new") as subscription:
        assert await subscription.lag() == 2
        assert names(await subscription.poll(10)) == ["c", "d"]


async def test_positions_are_not_used_again_when_all_was_forgotten(log: Log) -> None:
    await log.append("old")
    await log.commit(until="old")
    await log.prune()
    await log.restart()
    async with log.bus.subscribe("dispatch") as subscription:
        await log.append("next")
        assert names(await subscription.poll(10)) == ["next"]


async def test_what_is_left_is_known_and_what_was_forgotten_is_new(log: Log) -> None:
    await log.append(*"abc")
    await log.commit(until="c")
    await log.prune()
    for _ in range(2):
        assert kinds(await log.bus.append([event("c")])) == ["Duplicate"]
        assert kinds(await log.bus.append([event("c", b"other")])) == ["Conflict"]
        await log.restart()
    assert kinds(await log.bus.append([event("a", b"other")])) == ["Stored"]
    assert kinds(await log.bus.append([event("a")])) == ["Conflict"]
    assert kinds(await log.bus.append([event("a", b"other")])) == ["Duplicate"]
    assert names(await log.bus.find("a")) == ["a"]


async def test_keys_and_pieces_of_what_was_forgotten_are_gone(log: Log) -> None:
    await log.append("a")
    await log.bus.append([event("large", noise(2 * MIB))])
    await _settle(log)
    await log.append("kept in memory", "newest")
    await log.commit(until="newest")
    assert (await log.rows())[2] > 4
    assert await log.prune() == 3
    assert await log.rows() == [1, 0, 0]
    assert await _keys_in_memory(log) == 1


async def _settle(log: Log) -> None:
    def settle(file: apsw.Connection) -> None:
        dedupe.settle(file, start=0, until=dedupe.remembered(file))

    await log.database.write(settle)


async def _keys_in_memory(log: Log) -> int:
    return await log.database.write(
        lambda file: int(file.execute("SELECT count(*) FROM temp.recent_keys").get)
    )


async def test_large_bodies_are_forgotten_a_few_in_a_commit(log: Log) -> None:
    large = noise(ENOUGH_BYTES // 2)
    for name in "abcde":
        await log.bus.append([event(name, large)])
    await log.commit(until="e")
    commits = 0

    def count() -> bool:
        nonlocal commits
        commits += 1
        return False

    await log.database.write(lambda file: file.set_commit_hook(count))
    assert await log.prune() == 4
    assert commits >= 3


@pytest.mark.parametrize("table", TABLES)
async def test_forgetting_that_fails_half_way_has_forgotten_nothing(log: Log, table: str) -> None:
    await log.bus.append([event("large", noise(2 * MIB))])
    await log.append(*(str(number) for number in range(10)))
    await _settle(log)
    await log.append("newest")
    await log.commit(until="newest")
    before, known = await log.rows(), await log.left()
    half_way = f"(SELECT count(*) FROM {table}) = 5"  # noqa: S608  one of ours
    trigger = f"""
    CREATE TEMP TRIGGER fail AFTER DELETE ON main.{table} WHEN {half_way}
    BEGIN SELECT RAISE(ABORT, 'half way'); END
    """
    await log.database.write(lambda file: file.execute(trigger).get)
    with pytest.raises(StorageError, match="half way"):
        await log.prune()
    assert await log.rows() == before
    assert await log.left() == known
    assert kinds(await log.bus.append([event("3")])) == ["Duplicate"]
    await log.database.write(lambda file: file.execute("DROP TRIGGER fail").get)
    assert await log.prune() == 11
    assert await log.left() == ["newest"]


@dataclass
class Forgetful:
    """The store of a log that forgets all it may before each query."""

    log: Log

    async def read(self, query: Job[T]) -> T:
        await self.log.prune()
        return await self.log.database.read(query)

    async def write(self, job: Job[T], *, size: int = 0) -> T:
        return await self.log.database.write(job, size=size)

    async def migrate(self, component: str, migrations: Sequence[str]) -> None:
        await self.log.database.migrate(component, migrations)

    @property
    def path(self) -> Path:
        return self.log.database.path

    @property
    def owned(self) -> bool:
        return self.log.database.owned


async def test_an_event_that_is_forgotten_while_it_is_compared_is_new(log: Log) -> None:
    bus = SqliteBus(store=Forgetful(log))
    await log.append("a", "b")
    await bus.recover()
    await log.append("c", "newest")
    await log.commit(until="newest")
    both = [event("new"), event("c", b"other")]
    assert kinds(await bus.append(both)) == ["Stored", "Stored"]
    assert names(await log.bus.recent(2)) == ["new", "c"]
