"""The way to PostgreSQL is cut, in the middle of whatever; the server goes and comes back."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import AsyncExitStack
from dataclasses import dataclass
from functools import partial

import pytest
from journal_home import DEAD, DONE, SOON, plan, step
from journal_postgres_home import Worker, Workers
from servers.postgres import PostgresServer
from servers.proxy import Proxy, proxy

from hub.errors import ClaimLost, StorageError
from hub.journal.interface import Claim, RunState

LANES = 12


@dataclass(frozen=True, kw_only=True)
class Cut:
    """A worker whose way to the server can be cut, and one beside it that sees what is there."""

    worker: Worker
    witness: Worker
    way: Proxy

    async def surely(self, write: Callable[[], Awaitable[object]], *, after: int) -> bool:
        """Write until it was heard, the first time with a cut after so many bytes of answers.

        Return whether there was a cut at all.
        """
        self.way.cut_after(after)
        try:
            await write()
        except ClaimLost:
            raise
        except StorageError:
            pass
        else:
            return False
        finally:
            self.way.cut()
        await self.heard(write)
        return True

    async def heard(self, write: Callable[[], Awaitable[object]]) -> None:
        """Write until it was heard."""
        async with asyncio.timeout(SOON):
            while True:
                try:
                    await write()
                except ClaimLost:
                    raise
                except StorageError:
                    await asyncio.sleep(0.01)
                else:
                    return

    async def claimed(self, name: str) -> Claim:
        """Return the claim on a new run that has another one behind it in its lane."""
        await self.witness.journal.plan([plan(name, lane=name), plan(f"{name} next", lane=name)])
        (claim,) = await self.worker.journal.claim(worker="cut off", limit=1)
        return claim


@pytest.fixture
async def cut(postgres_server: PostgresServer) -> AsyncIterator[Cut]:
    async with AsyncExitStack() as stack:
        way = await stack.enter_async_context(proxy(to_port=postgres_server.port))
        workers = Workers(postgres_server, stack)
        yield Cut(
            worker=await workers.join("cut off", port=way.port),
            witness=await workers.join("witness"),
            way=way,
        )


async def everywhere(
    cut: Cut, attempt: Callable[[int], Awaitable[bool]], *, every_bytes: int = 23
) -> None:
    """Attempt it with a cut after every few bytes, until the answers are shorter than that.

    A lease that is renewed at that moment may take the cut for itself, so one without is no end.
    """
    cuts = 0
    whole = 0
    for after in range(0, 100_000, every_bytes):
        was_cut = await attempt(after)
        cuts += was_cut
        whole = 0 if was_cut else whole + 1
        if whole == 2:
            break
    assert cuts > 2


async def test_an_outcome_whose_commit_was_not_heard_of_is_written_once(cut: Cut) -> None:
    async def attempt(after: int) -> bool:
        claim = await cut.claimed(f"run {after}")
        journal = cut.worker.journal
        was_cut = await cut.surely(lambda: journal.finish(claim, DONE), after=after)
        found = await cut.witness.journal.run(claim.run)
        assert found is not None
        assert found[0].state is RunState.DONE
        (ended,) = await cut.witness.journal.attempts(claim.run)
        assert ended.outcome is RunState.DONE
        with pytest.raises(ClaimLost):
            await cut.heard(lambda: journal.finish(claim, DONE))
        (after_it,) = await cut.witness.journal.claim(worker="witness", limit=10)
        assert after_it.envelope.id == f"{claim.envelope.id} next"
        await cut.witness.journal.finish(after_it, DONE)
        return was_cut

    await everywhere(cut, attempt, every_bytes=7)


async def test_an_outcome_is_not_taken_for_written_where_another_was(cut: Cut) -> None:
    claim = await cut.claimed("run")
    cut.way.cut_after(0)
    with pytest.raises(StorageError):
        await cut.worker.journal.finish(claim, DONE)
    cut.way.cut()
    await cut.witness.journal.finish(claim, DEAD)
    with pytest.raises(ClaimLost):
        await cut.worker.journal.finish(claim, DONE)


async def test_steps_whose_commit_was_not_heard_of_are_noted_once(cut: Cut) -> None:
    async def attempt(after: int) -> bool:
        claim = await cut.claimed(f"run {after}")
        journal = cut.worker.journal
        was_cut = await cut.surely(
            lambda: journal.record_steps(claim, [step(1), step(2)]), after=after
        )
        assert await cut.witness.journal.steps(claim.run) == (step(1), step(2))
        await cut.heard(lambda: journal.finish(claim, DONE))
        (next_one,) = await cut.witness.journal.claim(worker="witness", limit=10)
        await cut.witness.journal.finish(next_one, DONE)
        return was_cut

    await everywhere(cut, attempt, every_bytes=7)


async def test_a_plan_whose_commit_was_not_heard_of_makes_each_run_once(cut: Cut) -> None:
    async def attempt(after: int) -> bool:
        plans = [plan(f"{after} {lane}", lane=f"{after} {lane}") for lane in range(LANES)]
        was_cut = await cut.surely(lambda: cut.worker.journal.plan(plans), after=after)
        claims = await cut.witness.journal.claim(worker="witness", limit=100)
        assert [claim.envelope.id for claim in claims] == [one.envelope.id for one in plans]
        for claim in claims:
            await cut.witness.journal.finish(claim, DONE)
        return was_cut

    await everywhere(cut, attempt)


async def test_claims_whose_answer_was_lost_come_back_without_an_attempt(cut: Cut) -> None:
    async def attempt(after: int) -> bool:
        names = [f"{after} {lane}" for lane in range(LANES)]
        await cut.witness.journal.plan([plan(name, lane=name) for name in names])
        claims: list[Claim] = []

        async def claim() -> None:
            claims.extend(await cut.worker.journal.claim(worker="cut off", limit=LANES))

        was_cut = await cut.surely(claim, after=after)
        async with asyncio.timeout(SOON):
            while len(claims) < LANES:
                await claim()
        assert sorted(one.envelope.id for one in claims) == sorted(names)
        assert {one.attempt for one in claims} == {1}
        for one in claims:
            await cut.heard(partial(cut.worker.journal.finish, one, DONE))
        return was_cut

    await everywhere(cut, attempt)


async def test_a_worker_that_is_cut_off_for_longer_than_its_lease_knows_it(
    postgres_server: PostgresServer,
) -> None:
    async with AsyncExitStack() as stack:
        way = await stack.enter_async_context(proxy(to_port=postgres_server.port))
        workers = Workers(postgres_server, stack)
        cut_off = await workers.join("cut off", port=way.port, lease_seconds=3)
        other = await workers.join("other")
        await other.journal.plan([plan("push")])
        (stale,) = await cut_off.journal.claim(worker="cut off", limit=1)
        way.hold()
        async with asyncio.timeout(30):
            (fresh,) = await other.until_claimed()
        assert not cut_off.journal.holds(stale)
        way.release()
        with pytest.raises(ClaimLost):
            await cut_off.journal.finish(stale, DONE)
        await other.journal.finish(fresh, DONE)


async def test_a_server_that_is_restarted_loses_no_claim_and_is_listened_to_again(
    postgres_server: PostgresServer,
) -> None:
    async with AsyncExitStack() as stack:
        workers = Workers(postgres_server, stack)
        one, two = await workers.join("one"), await workers.join("two")
        await one.journal.plan([plan("push")])
        (claim,) = await one.journal.claim(worker="one", limit=1)
        waiting = asyncio.create_task(one.journal.wait_for_work(3600))
        await asyncio.to_thread(postgres_server.restart)
        await one.journal.finish(claim, DONE)
        await two.journal.plan([plan("next")])
        waiting.cancel()
        await asyncio.gather(waiting, return_exceptions=True)
        async with asyncio.timeout(3 * SOON):
            (again,) = await one.until_claimed()
        await one.journal.finish(again, DONE)
        assert (await two.journal.counts())[RunState.DONE] == 2
