"""What several processes on one journal in PostgreSQL are to each other."""

import asyncio
import random
from collections import defaultdict
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack

import pytest
from journal_home import DEAD, DONE, SOON, Clock, awaited, names, plan, step, wait
from journal_postgres_home import Worker, Workers
from servers.postgres import PostgresServer

from hub.errors import ClaimLost, StorageError
from hub.journal.interface import Claim, Finished, RunState
from hub.journal.postgres import migration
from hub.journal.postgres.schema import MIGRATIONS, Migration

LATER = Finished(state=RunState.RETRYING, due_at=0.0)


@pytest.fixture
async def workers(postgres_server: PostgresServer) -> AsyncIterator[Workers]:
    async with AsyncExitStack() as stack:
        yield Workers(postgres_server, stack)


async def work(worker: Worker, seen: dict[str, list[str]], *, runs: int, seed: int) -> None:
    """Execute runs until all have ended, and note each one's beginning and end."""
    chance = random.Random(seed)
    executing: set[asyncio.Task[None]] = set()

    async def execute(claim: Claim) -> None:
        seen[claim.lane].append(f"begins {claim.envelope.id}")
        for _ in range(chance.randrange(5)):
            await asyncio.sleep(0)
        seen[claim.lane].append(f"ends {claim.envelope.id}")
        match chance.randrange(10):
            case 0:
                await worker.journal.release(claim)
            case 1:
                await worker.journal.finish(claim, LATER)
            case _:
                await worker.journal.finish(claim, DONE)

    while (await worker.journal.counts())[RunState.DONE] < runs:
        for claim in await worker.journal.claim(worker=worker.name, limit=chance.randint(1, 8)):
            task = asyncio.create_task(execute(claim))
            executing.add(task)
            task.add_done_callback(executing.discard)
        await worker.journal.wait_for_work(0.05)
    await asyncio.gather(*executing)


@pytest.mark.parametrize("seed", range(2))
async def test_each_lane_keeps_its_order_across_workers_that_plan_and_claim_at_the_same_time(
    workers: Workers, seed: int
) -> None:
    lanes, each = 7, 15
    seen: dict[str, list[str]] = defaultdict(list)
    some = [await workers.join(f"worker {number}") for number in range(3)]

    async def plan_all(worker: Worker) -> None:
        """Plan everything, as every other worker does, in parts of a size of its own."""
        chance = random.Random(f"{seed} {worker.name}")
        names = [(lane, number) for number in range(each) for lane in range(lanes)]
        while names:
            size = chance.randint(1, 12)
            part, names = names[:size], names[size:]
            await worker.journal.plan(
                [plan(f"{number:02} {lane}", lane=str(lane)) for lane, number in part]
            )

    async with asyncio.timeout(60):
        await asyncio.gather(
            *(plan_all(worker) for worker in some),
            *(work(one, seen, runs=lanes * each, seed=seed + at) for at, one in enumerate(some)),
        )
    for told in seen.values():
        begun, ended = told[::2], told[1::2]
        assert [one.removeprefix("begins ") for one in begun] == [
            one.removeprefix("ends ") for one in ended
        ]
    runs = [run for worker in some[:1] for run in await worker.journal.runs(limit=1000)]
    assert len(runs) == lanes * each
    for lane, told in seen.items():
        planned = [run.event_id for run in reversed(runs) if run.lane == lane]
        assert list(dict.fromkeys(one.removeprefix("begins ") for one in told[::2])) == planned


async def test_workers_that_plan_the_same_in_another_order_make_one_run_each(
    workers: Workers,
) -> None:
    some = [await workers.join(f"worker {number}") for number in range(3)]
    plans = [plan(str(n), lane=str(n % 5)) for n in range(60)]
    orders = (plans, plans[::-1], plans[30:] + plans[:30])
    async with asyncio.timeout(30):
        await asyncio.gather(
            *(
                worker.journal.plan(order[start : start + 20])
                for worker, order in zip(some, orders, strict=True)
                for start in range(0, 60, 20)
            )
        )
    runs = await some[0].journal.runs(limit=1000)
    assert sorted(run.event_id for run in runs) == sorted(str(n) for n in range(60))


async def test_workers_claim_different_lanes(workers: Workers) -> None:
    one, two = await workers.join("one"), await workers.join("two")
    await one.journal.plan([plan(str(n), lane=str(n)) for n in range(40)])
    hauls = await asyncio.gather(
        *(worker.journal.claim(worker="w", limit=5) for worker in (one, two) for _ in range(4))
    )
    claimed = [name for haul in hauls for name in names(haul)]
    assert len(claimed) == len(set(claimed)) == 40


async def test_a_worker_whose_lease_has_passed_loses_its_runs_and_can_write_nothing_to_them(
    workers: Workers,
) -> None:
    paused, other = await workers.join("paused"), await workers.join("other")
    await paused.journal.plan([plan("push"), plan("next")])
    (stale,) = await paused.journal.claim(worker="paused", limit=10)
    assert paused.journal.holds(stale)
    assert await other.journal.claim(worker="other", limit=10) == ()
    await workers.let_lease_pass("paused")
    (fresh,) = await other.journal.claim(worker="other", limit=10)
    assert (fresh.run, fresh.attempt, fresh.token > stale.token) == (stale.run, 2, True)
    for write in (
        paused.journal.record_steps(stale, [step(1)]),
        paused.journal.finish(stale, DONE),
        paused.journal.release(stale),
    ):
        with pytest.raises(ClaimLost):
            await write
    assert not paused.journal.holds(stale)
    (interrupted,) = await other.journal.attempts(stale.run)
    assert interrupted.detail == "interrupted: paused stopped in the middle of it"
    await other.journal.finish(fresh, DONE)


async def test_a_worker_whose_lease_has_passed_works_on_under_a_new_one(workers: Workers) -> None:
    worker = await workers.join("paused")
    await worker.journal.plan([plan("push")])
    await worker.journal.claim(worker="paused", limit=10)
    await workers.let_lease_pass("paused")
    (again,) = await asyncio.wait_for(worker.until_claimed(), SOON)
    assert again.attempt == 2
    assert worker.journal.holds(again)
    await worker.journal.finish(again, DONE)


async def test_a_worker_that_stops_leaves_its_runs_to_the_others_at_once(workers: Workers) -> None:
    one, two = await workers.join("one"), await workers.join("two")
    await one.journal.plan([plan("push")])
    await one.journal.claim(worker="one", limit=1)
    waiting = asyncio.create_task(two.until_claimed())
    await one.store.stop()
    assert names(await asyncio.wait_for(waiting, 3 * SOON)) == ["push"]


async def test_a_visitor_plans_and_replays_without_a_lease_and_workers_hear_of_it(
    workers: Workers,
) -> None:
    worker, visitor = await workers.join("worker"), await workers.join("person", visitor=True)
    waiting = asyncio.create_task(worker.until_claimed())
    await visitor.journal.plan([plan("push")])
    (claim,) = await asyncio.wait_for(waiting, SOON)
    await worker.journal.finish(claim, DEAD)
    waiting = asyncio.create_task(worker.until_claimed())
    assert await visitor.journal.replay(claim.run, again=False)
    assert names(await asyncio.wait_for(waiting, SOON)) == ["push"]
    assert await workers.leased() == ["worker"]


async def test_a_wait_that_one_worker_began_is_ended_by_the_event_of_another(
    workers: Workers,
) -> None:
    one, two = await workers.join("one"), await workers.join("two")
    await one.journal.plan([plan("push")])
    (claim,) = await one.journal.claim(worker="one", limit=1)
    await one.journal.finish(claim, Finished(state=RunState.WAITING, wait=wait("x")))
    waiting = asyncio.create_task(one.until_claimed())
    await two.journal.wake(awaited("x"), lambda: '"it"')
    (again,) = await asyncio.wait_for(waiting, SOON)
    assert again.steps[0].result == '"it"'


async def test_processes_that_start_at_once_change_the_tables_once(
    postgres_server: PostgresServer,
) -> None:
    async with AsyncExitStack() as stack:
        workers = Workers(postgres_server, stack)
        some = await asyncio.gather(*(workers.join(f"worker {number}") for number in range(4)))
        await some[0].journal.plan([plan("push")])
        assert len(await some[-1].journal.runs()) == 1


async def test_a_visitor_does_not_make_tables(postgres_server: PostgresServer) -> None:
    async with AsyncExitStack() as stack:
        with pytest.raises(StorageError, match="start the hub once"):
            await Workers(postgres_server, stack).join("person", visitor=True)


async def test_an_older_program_works_with_newer_tables_unless_they_say_that_it_cannot(
    workers: Workers,
) -> None:
    """T128."""
    worker = await workers.join("old")
    added = Migration(sql="CREATE TABLE added (id bigint)", compatible_since=1)
    await worker.store.run(lambda one: migration.migrate(one, "journal", (*MIGRATIONS, added)))
    await worker.store.run(lambda one: migration.migrate(one, "journal", MIGRATIONS))
    await (await workers.join("as old", visitor=True)).journal.runs()
    gone = Migration(sql="DROP TABLE added", compatible_since=3)
    await worker.store.run(
        lambda one: migration.migrate(one, "journal", (*MIGRATIONS, added, gone))
    )
    with pytest.raises(StorageError, match="programs older than version 3 cannot use it"):
        await workers.join("too old")


async def test_due_times_are_those_of_the_hub_and_not_of_the_server(workers: Workers) -> None:
    clock = Clock(now=0.0)
    worker = await workers.join("one", clock=clock)
    await worker.journal.plan([plan("push")])
    (claim,) = await worker.journal.claim(worker="one", limit=1)
    await worker.journal.finish(claim, Finished(state=RunState.RETRYING, due_at=60.0))
    assert await worker.journal.claim(worker="one", limit=1) == ()
    clock.now = 60.0
    assert names(await worker.journal.claim(worker="one", limit=1)) == ["push"]
