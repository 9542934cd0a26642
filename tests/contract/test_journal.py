"""The journal in SQLite keeps the contract, and its costs do not grow with what waits."""

import tempfile
from collections.abc import AsyncIterator, Sequence
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, TypeVar

import apsw
import pytest
from hypothesis import settings
from journal_home import DEAD, DONE, Clock, Home, awaited, plan, step, wait
from journal_machine import JournalMachine
from journal_suite import JournalSuite, RecordsSuite

from hub.journal.interface import Finished, RunState
from hub.journal.records import SqliteRecords
from hub.journal.schema import MIGRATIONS
from hub.journal.sqlite import SqliteJournal
from hub.sqlite import Database, Job

T = TypeVar("T")


class SqliteHome:
    """A file, and whoever owns it now."""

    def __init__(self, path: Path) -> None:
        self.clock = Clock()
        self._path = path

    async def open(self) -> None:
        self._database = await Database.own(self._path)
        await self._database.migrate("journal", MIGRATIONS)
        self.journal = SqliteJournal(store=self._database, clock=self.clock)
        self.records = SqliteRecords(store=self._database)
        await self.journal.recover()

    async def close(self) -> None:
        await self._database.close()

    async def damage(self, event_id: str) -> None:
        """Spoil the body of an event, as a disk does."""
        statement = "UPDATE run_events SET data = x'00' WHERE event_id = ?"
        await self._database.write(lambda file: file.execute(statement, (event_id,)).fetchall())

    async def crash(self) -> None:
        await self.close()
        await self.open()


@asynccontextmanager
async def sqlite_home() -> AsyncIterator[SqliteHome]:
    with tempfile.TemporaryDirectory() as folder:
        home = SqliteHome(Path(folder) / "journal.db")
        await home.open()
        yield home
        await home.close()


@pytest.fixture
async def home() -> AsyncIterator[SqliteHome]:
    async with sqlite_home() as opened:
        yield opened


class TestSqliteJournal(JournalSuite):
    pass


class TestSqliteRecords(RecordsSuite):
    pass


class SqliteJournalMachine(JournalMachine):
    def open_home(self) -> AbstractAsyncContextManager[Home]:
        return sqlite_home()


TestAnyMixOfOperations = SqliteJournalMachine.TestCase
TestAnyMixOfOperations.settings = settings(
    max_examples=40, stateful_step_count=30, deadline=None, database=None
)


@dataclass
class Observed:
    """A store that sees which statements its jobs run, and how much work they are."""

    database: Database
    statements: set[str] = field(default_factory=set)
    instructions: int = 0

    async def write(self, job: Job[T], *, size: int = 0) -> T:
        return await self.database.write(lambda file: self._watch(file, job), size=size)

    async def read(self, query: Job[T]) -> T:
        return await self.database.read(lambda file: self._watch(file, query))

    async def migrate(self, component: str, migrations: Sequence[str]) -> None:
        await self.database.migrate(component, migrations)

    @property
    def path(self) -> Path:
        return self.database.path

    @property
    def owned(self) -> bool:
        return self.database.owned

    def _watch(self, file: apsw.Connection, job: Job[T]) -> T:
        file.exec_trace = self._note
        file.set_progress_handler(self._count, 1)
        try:
            return job(file)
        finally:
            file.set_progress_handler(None)
            file.exec_trace = None

    def _note(self, _cursor: apsw.Cursor, sql: str, _values: Any) -> bool:
        self.statements.add(sql)
        return True

    def _count(self) -> bool:
        self.instructions += 1
        return False


@pytest.fixture
async def observed(tmp_path: Path) -> AsyncIterator[Observed]:
    database = await Database.own(tmp_path / "journal.db")
    await database.migrate("journal", MIGRATIONS)
    yield Observed(database)
    await database.close()


async def test_no_statement_in_the_way_of_a_run_reads_a_whole_table(observed: Observed) -> None:
    clock = Clock()
    journal = SqliteJournal(store=observed, clock=clock)
    await journal.plan([plan("dies"), plan("retries", lane="b"), plan("waits", lane="c")])
    dies, retries, waits = await journal.claim(worker="one", limit=3)
    await journal.record_steps(dies, [step(1)])
    await journal.finish(dies, DEAD)
    await journal.finish(retries, Finished(state=RunState.RETRYING, due_at=clock.now))
    await journal.finish(waits, Finished(state=RunState.WAITING, wait=wait("x")))
    await journal.wake(awaited("x"), lambda: '"it"')
    await journal.replay(dies.run, again=True)
    await journal.claim(worker="one", limit=1)
    await journal.recover()
    await journal.release((await journal.claim(worker="one", limit=1))[0])
    await journal.wait_for_work(0.001)
    await journal.counts()
    assert len(observed.statements) > 15
    scans = [
        (sql, step)
        for sql in observed.statements
        for step in await observed.database.read(lambda file, sql=sql: _query_plan(file, sql))
        if step.startswith("SCAN") and step not in WITHIN_BOUNDS
    ]
    assert scans == []


WITHIN_BOUNDS = {
    "SCAN CONSTANT ROW",
    "SCAN run_counts",  # a row for each state
    "SCAN runs USING INDEX runs_running",  # once, at the start
    "SCAN run_waits USING COVERING INDEX run_waits_by_event",  # once, at the start
}


def _query_plan(file: apsw.Connection, sql: str) -> list[str]:
    values = [None] * (1 if "?1" in sql else sql.count("?"))
    return [row[3] for row in file.execute(f"EXPLAIN QUERY PLAN {sql}", values)]


@pytest.mark.parametrize("lanes", [1, 1_000])
async def test_a_run_costs_the_same_whatever_waits_behind_it(
    observed: Observed, lanes: int
) -> None:
    journal = SqliteJournal(store=observed, clock=Clock())

    async def pass_on(first: int) -> int:
        before = observed.instructions
        await journal.plan([plan(str(first), lane=str(first % lanes))])
        (claim,) = await journal.claim(worker="one", limit=1)
        await journal.finish(claim, DONE)
        return observed.instructions - before

    await journal.plan([plan(str(number), lane=str(number % lanes)) for number in range(10)])
    costs_with_few_behind = [await pass_on(10 + number) for number in range(5)]
    await journal.plan([plan(str(n), lane=str(n % lanes)) for n in range(1_000, 4_000)])
    costs_with_many_behind = [await pass_on(4_000 + number) for number in range(5)]
    assert max(costs_with_many_behind) <= 1.2 * max(costs_with_few_behind)


async def test_an_event_that_is_damaged_parks_its_own_run_and_no_other(home: SqliteHome) -> None:
    await home.journal.plan([plan("good", lane="a"), plan("bad", lane="b"), plan("next", lane="b")])
    await home.damage("bad")
    claims = await home.journal.claim(worker="one", limit=100)
    assert [claim.envelope.id for claim in claims] == ["good"]
    (parked,) = await home.journal.runs(states=[RunState.PARKED])
    assert parked.event_id == "bad"
    assert parked.detail.startswith("the event in the journal is damaged: ")
    (behind,) = await home.journal.claim(worker="one", limit=100)
    assert behind.envelope.id == "next"
