"""What SQLite's journal promises of forgetting: its room, its costs, and all or nothing."""

from collections.abc import AsyncIterator, Awaitable, Sequence
from dataclasses import replace
from pathlib import Path

import pytest
from bus_home import noise
from journal_home import DEAD, DONE, Clock, event, plan, step

from hub.errors import StorageError
from hub.journal.interface import Finished, PlannedRun
from hub.journal.schema import MIGRATIONS
from hub.journal.sqlite import SqliteJournal
from hub.sqlite import Database
from hub.sqlite.forgetting import ENOUGH_BYTES

TABLES = ("runs", "run_events", "run_steps", "run_attempts", "run_keys")
LARGE = noise(ENOUGH_BYTES // 2)


class Kept:
    """A journal and its file."""

    def __init__(self, database: Database) -> None:
        self.database = database
        self.clock = Clock()
        self.journal = SqliteJournal(store=database, clock=self.clock)

    async def end(self, *names: str, how: Finished = DONE) -> None:
        """Plan runs, and end them."""
        await self.end_all([plan(name, lane=name) for name in names], how)

    async def end_all(self, plans: Sequence[PlannedRun], how: Finished = DONE) -> None:
        await self.journal.plan(plans)
        for claim in await self.journal.claim(worker="one", limit=len(plans)):
            await self.journal.record_steps(claim, [step(1)])
            await self.journal.finish(claim, how)
        self.clock.now += 1

    async def prune(self, *, limit: int = 10_000, keys_before: float = 0) -> int:
        return await self.journal.prune(
            runs_before=self.clock.now, keys_before=keys_before, limit=limit
        )

    async def rows(self) -> dict[str, int]:
        return {table: await self.number(f"SELECT count(*) FROM {table}") for table in TABLES}  # noqa: S608  one of ours

    async def number(self, query: str) -> int:
        return await self.database.read(lambda file: int(file.execute(query).get))


@pytest.fixture
async def kept(tmp_path: Path) -> AsyncIterator[Kept]:
    database = await Database.own(tmp_path / "journal.db")
    await database.migrate("journal", MIGRATIONS)
    yield Kept(database)
    await database.close()


async def test_what_is_forgotten_leaves_a_key_and_no_other_row(kept: Kept) -> None:
    await kept.end(*(str(number) for number in range(50)))
    await kept.end("newest")
    assert await kept.prune() == 50
    assert await kept.rows() == {**dict.fromkeys(TABLES, 1), "run_keys": 50}
    assert await kept.prune(keys_before=kept.clock.now) == 0
    assert await kept.rows() == {**dict.fromkeys(TABLES, 1), "run_keys": 0}


async def test_the_room_is_used_again(kept: Kept) -> None:
    sizes = []
    for turn in range(6):
        await kept.end(*(f"{turn} {number}" for number in range(300)))
        await kept.prune(keys_before=kept.clock.now)
        sizes.append(await kept.number("PRAGMA page_count"))
    assert max(sizes) <= 1.1 * sizes[0]


async def test_large_events_are_forgotten_a_few_in_a_commit(kept: Kept) -> None:
    large = (replace(event(name), data=LARGE) for name in "abcde")
    await kept.end_all([replace(plan(one.id, lane=one.id), envelope=one) for one in large])
    await kept.end("newest")
    commits = 0

    def count() -> bool:
        nonlocal commits
        commits += 1
        return False

    await kept.database.write(lambda file: file.set_commit_hook(count))
    assert await kept.prune(limit=5) == 5
    assert commits >= 3


@pytest.mark.parametrize("table", TABLES)
async def test_forgetting_that_fails_half_way_has_forgotten_nothing(kept: Kept, table: str) -> None:
    await kept.end("dead", "older", how=DEAD)
    await kept.end(*(str(number) for number in range(30)))
    await kept.end("newest")
    before = await kept.rows()
    change = "INSERT" if table == "run_keys" else "DELETE"
    half_way = f"(SELECT count(*) FROM {table}) = 15"  # noqa: S608  one of ours
    trigger = f"""
    CREATE TEMP TRIGGER fail AFTER {change} ON main.{table} WHEN {half_way}
    BEGIN SELECT RAISE(ABORT, 'half way'); END
    """
    await kept.database.write(lambda file: file.execute(trigger).get)
    with pytest.raises(StorageError, match="half way"):
        await kept.prune()
    assert await kept.rows() == before
    await kept.database.write(lambda file: file.execute("DROP TRIGGER fail").get)
    assert await kept.prune() == 30
    assert await kept.rows() == {**dict.fromkeys(TABLES, 3), "run_keys": 30}


async def instructions(database: Database, work: Awaitable[object]) -> int:
    """Return how many instructions the writer's connection needs for the work."""
    number = 0

    def step() -> bool:
        nonlocal number
        number += 1
        return False

    await database.write(lambda file: file.set_progress_handler(step, 1))
    await work
    await database.write(lambda file: file.set_progress_handler(None))
    return number


async def test_forgetting_costs_the_same_whatever_stays(kept: Kept) -> None:
    async def cost(name: str) -> int:
        await kept.end(name)
        await kept.end(f"after {name}", how=DEAD)
        return await instructions(kept.database, kept.prune())

    few = [await cost(f"few {number}") for number in range(5)]
    await kept.end(*(f"dead {number}" for number in range(1_000)), how=DEAD)
    await kept.end(*(f"done {number}" for number in range(1_000)))
    await kept.end("newer", how=DEAD)
    assert await kept.prune() == 1_000
    many = [await cost(f"many {number}") for number in range(5)]
    assert max(many) <= 1.2 * max(few)


async def test_planning_costs_the_same_however_many_keys_there_are(kept: Kept) -> None:
    async def cost(name: str) -> int:
        planning = kept.journal.plan([plan(name, lane=name)])
        return await instructions(kept.database, planning)

    few = [await cost(f"few {number}") for number in range(5)]
    await kept.end(*(str(number) for number in range(1_000)))
    await kept.end("newer")
    assert await kept.prune() >= 990
    assert max([await cost(f"many {number}") for number in range(5)]) <= 1.2 * max(few)
