"""The journal in PostgreSQL keeps the contract, and none of its statements reads a whole table."""

import re
from collections.abc import AsyncIterator
from contextlib import AbstractAsyncContextManager
from functools import partial
from typing import Any, TypeVar

import pytest
from hypothesis import Phase, settings
from hypothesis.stateful import run_state_machine_as_test
from journal_home import DEAD, Clock, Home, awaited, plan, step, wait
from journal_machine import JournalMachine
from journal_postgres_home import PostgresHome, postgres_home, store_at
from journal_suite import JournalSuite, RecordsSuite
from servers.postgres import PostgresServer

from hub.journal.interface import Finished, RunState
from hub.journal.postgres import PostgresJournal, PostgresRecords, PostgresStore

T = TypeVar("T")


@pytest.fixture
async def home(postgres_server: PostgresServer) -> AsyncIterator[PostgresHome]:
    async with postgres_home(postgres_server) as opened:
        yield opened


class TestPostgresJournal(JournalSuite):
    pass


class TestPostgresRecords(RecordsSuite):
    pass


def test_any_mix_of_operations(postgres_server: PostgresServer) -> None:
    class PostgresJournalMachine(JournalMachine):
        def open_home(self) -> AbstractAsyncContextManager[Home]:
            return postgres_home(postgres_server)

    run_state_machine_as_test(PostgresJournalMachine, settings=FEW)


FEW = settings(
    max_examples=8,
    stateful_step_count=30,
    deadline=None,
    database=None,
    # Making a failure smaller would take a database for each try.
    phases=[Phase.generate],
)


async def test_no_statement_reads_a_whole_table(postgres_server: PostgresServer) -> None:
    statements: set[str] = set()
    store = store_at(postgres_server, postgres_server.fresh_database())
    run = store.run

    async def run_observed(job: Any) -> Any:
        async def observed(connection: Any) -> Any:
            with connection.query_logger(lambda said: statements.add(said.query)):
                return await job(connection)

        return await run(observed)

    await store.start()
    try:
        store.run = run_observed  # type: ignore[method-assign]
        await live_through_everything(store)
        scans = [
            (statement, line)
            for number, statement in enumerate(statements)
            if statement.split()[0] in {"SELECT", "INSERT", "UPDATE", "DELETE", "WITH"}
            for line in await run(partial(plan_of, statement, name=f"statement_{number}"))
            if "Seq Scan" in line and not any(f" on {small}" in line for small in SMALL)
        ]
    finally:
        await store.stop()
    assert len(statements) > 25
    assert scans == []


async def plan_of(statement: str, connection: Any, *, name: str) -> list[str]:
    """Return how the server goes about a statement whatever its values are."""
    values = max((int(number) for number in re.findall(r"\$(\d+)", statement)), default=0)
    await connection.execute(f"PREPARE {name} AS {statement}")
    nothing = f"({', '.join(['NULL'] * values)})" if values else ""
    return [row[0] for row in await connection.fetch(f"EXPLAIN EXECUTE {name}{nothing}")]


SMALL = {"workers", "run_counts"}


async def live_through_everything(store: PostgresStore) -> None:
    clock = Clock()
    journal, records = PostgresJournal(store=store, clock=clock), PostgresRecords(store=store)
    await journal.plan([plan("dies"), plan("retries", lane="b"), plan("waits", lane="c")])
    dies, retries, waits = await journal.claim(worker="one", limit=3)
    await journal.record_steps(dies, [step(1)])
    await journal.finish(dies, DEAD)
    await journal.finish(retries, Finished(state=RunState.RETRYING, due_at=clock.now))
    await journal.finish(waits, Finished(state=RunState.WAITING, wait=wait("x")))
    await journal.wake(awaited("x"), lambda: '"it"')
    await journal.replay(dies.run, again=True)
    (again,) = await journal.claim(worker="one", limit=1)
    await journal.release(again)
    await journal.recover()
    await journal.wait_for_work(0.001)
    await journal.prune(runs_before=clock.now, keys_before=clock.now, limit=10)
    await journal.runs(event=("source", "id"))
    await journal.runs(states=[RunState.DEAD])
    await journal.run(dies.run)
    await journal.attempts(dies.run)
    await journal.steps(dies.run)
    await journal.counts()
    await records.put("deployment", "payments", "one", expected=0)
    await records.put("deployment", "payments", "two", expected=1)
    await records.get("deployment", "payments")
