"""What every journal must do for runs that wait, and for the runner that has nothing to do."""

import asyncio
from dataclasses import replace

import pytest
from journal_home import (
    DONE,
    SOON,
    Home,
    awaited,
    claim_all,
    claim_one,
    names,
    only_run,
    plan,
    until_claimed,
    wait,
    waiting_for,
)

from hub.journal.interface import Finished, RunState


class WaitsSuite:
    """Subclasses have a fixture `home`."""

    async def test_a_waiting_run_is_woken_by_its_event_only(self, home: Home) -> None:
        claim = await waiting_for(home, "run-7")
        await home.journal.wake(awaited("run-8"), lambda: '"other"')
        await home.journal.wake(
            replace(awaited("run-7"), type="com.github.push"), lambda: '"other"'
        )
        await home.journal.wake(replace(awaited("run-7"), subject=None), lambda: '"other"')
        assert await claim_all(home) == ()
        await home.journal.wake(awaited("run-7"), lambda: '"it"')
        woken = await claim_one(home)
        (done,) = woken.steps
        assert (woken.run, done.number, done.result) == (claim.run, 1, '"it"')
        assert (done.name, done.action) == (wait("run-7").name, wait("run-7").action)

    async def test_an_event_that_nobody_waits_for_is_not_even_written_out(self, home: Home) -> None:
        def unasked() -> str:
            raise AssertionError("nobody waits for it")

        await waiting_for(home, "x", due_at=home.clock.now)
        await home.journal.wake(awaited("y"), unasked)
        await claim_one(home)
        await home.journal.wake(awaited("x"), unasked)

    async def test_an_event_wakes_everybody_who_waits_for_it_once(self, home: Home) -> None:
        await home.journal.plan([plan("one", lane="one"), plan("two", lane="two")])
        for claim in await claim_all(home):
            await home.journal.finish(claim, Finished(state=RunState.WAITING, wait=wait("x")))
        await home.journal.wake(awaited("x"), lambda: '"first"')
        await home.journal.wake(awaited("x"), lambda: '"second"')
        claims = await claim_all(home)
        assert [claim.steps[0].result for claim in claims] == ['"first"', '"first"']

    async def test_a_wait_survives_a_crash(self, home: Home) -> None:
        claim = await waiting_for(home, "x")
        await home.crash()
        assert await claim_all(home) == ()
        await home.journal.wake(awaited("x"), lambda: '"it"')
        assert (await claim_one(home)).run == claim.run

    async def test_a_wait_whose_time_is_up_goes_on_without_its_event(self, home: Home) -> None:
        claim = await waiting_for(home, "x", due_at=home.clock.now + 60)
        home.clock.now += 60
        again = await claim_one(home)
        assert (again.run, again.steps) == (claim.run, ())
        await home.journal.wake(awaited("x"), lambda: '"too late"')
        assert await home.journal.steps(claim.run) == ()
        assert (await only_run(home)).state is RunState.RUNNING

    async def test_an_event_that_comes_in_time_wakes_at_once(self, home: Home) -> None:
        claim = await waiting_for(home, "x", due_at=home.clock.now + 60)
        await home.journal.wake(awaited("x"), lambda: '"it"')
        woken = await claim_one(home)
        assert (woken.run, woken.steps[0].result) == (claim.run, '"it"')
        assert (await only_run(home)).due_at is None

    async def test_who_waits_in_vain_does_not_end_the_wait_of_another(self, home: Home) -> None:
        await home.journal.plan([plan("brief", lane="a"), plan("patient", lane="b")])
        brief, patient = await claim_all(home)
        in_time = Finished(state=RunState.WAITING, wait=wait("x"), due_at=home.clock.now)
        await home.journal.finish(brief, in_time)
        await home.journal.finish(patient, Finished(state=RunState.WAITING, wait=wait("x")))
        assert names(await claim_all(home)) == ["brief"]
        await home.journal.wake(awaited("x"), lambda: '"it"')
        assert names(await claim_all(home)) == ["patient"]

    async def test_a_run_may_wait_again_for_what_it_waited_for_in_vain(self, home: Home) -> None:
        await waiting_for(home, "x", due_at=home.clock.now + 60)
        home.clock.now += 60
        again = await claim_one(home)
        await home.journal.finish(again, Finished(state=RunState.WAITING, wait=wait("x")))
        await home.journal.wake(awaited("x"), lambda: '"it"')
        assert (await claim_one(home)).steps[0].result == '"it"'

    async def test_a_run_that_waits_for_a_time_is_due_then(self, home: Home) -> None:
        await home.journal.plan([plan("push")])
        waiting = Finished(state=RunState.WAITING, due_at=home.clock.now + 60)
        await home.journal.finish(await claim_one(home), waiting)
        assert await claim_all(home) == ()
        home.clock.now += 60
        assert names(await claim_all(home)) == ["push"]

    @pytest.mark.parametrize("state", [RunState.WAITING, RunState.RETRYING])
    async def test_a_run_that_waits_for_nothing_does_not_hold_its_lane_for_good(
        self, home: Home, state: RunState
    ) -> None:
        await home.journal.plan([plan("push")])
        await home.journal.finish(await claim_one(home), Finished(state=state))
        assert names(await claim_all(home)) == ["push"]


class IdlenessSuite:
    """Subclasses have a fixture `home`."""

    async def test_waiting_for_work_ends_at_once_where_there_is_some(self, home: Home) -> None:
        await home.journal.plan([plan("push")])
        async with asyncio.timeout(SOON):
            await home.journal.wait_for_work(3600)

    async def test_waiting_for_work_ends_when_the_time_is_up(self, home: Home) -> None:
        async with asyncio.timeout(SOON):
            await home.journal.wait_for_work(0.01)
            await home.journal.wait_for_work(0)

    async def test_waiting_for_work_ends_when_a_run_is_planned(self, home: Home) -> None:
        waiting = asyncio.create_task(home.journal.wait_for_work(3600))
        await home.journal.plan([plan("push")])
        await asyncio.wait_for(waiting, SOON)
        assert names(await claim_all(home)) == ["push"]

    async def test_waiting_for_work_ends_when_a_lane_is_freed(self, home: Home) -> None:
        await home.journal.plan([plan("first"), plan("second")])
        claim = await claim_one(home)
        waiting = asyncio.create_task(until_claimed(home))
        await home.journal.finish(claim, DONE)
        assert names(await asyncio.wait_for(waiting, SOON)) == ["second"]

    async def test_waiting_for_work_ends_when_a_run_is_woken(self, home: Home) -> None:
        await waiting_for(home, "x")
        waiting = asyncio.create_task(until_claimed(home))
        await home.journal.wake(awaited("x"), lambda: '"it"')
        assert names(await asyncio.wait_for(waiting, SOON)) == ["waits for x"]

    async def test_waiting_for_work_ends_when_a_run_is_replayed(self, home: Home) -> None:
        await home.journal.plan([plan("odd", stillborn="unreadable")])
        waiting = asyncio.create_task(until_claimed(home))
        await home.journal.replay((await only_run(home)).id, again=False)
        assert names(await asyncio.wait_for(waiting, SOON)) == ["odd"]

    async def test_waiting_for_work_ends_when_a_run_becomes_due(self, home: Home) -> None:
        await home.journal.plan([plan("push")])
        due_at = home.clock.now + 0.05
        retrying = Finished(state=RunState.RETRYING, due_at=due_at)
        await home.journal.finish(await claim_one(home), retrying)
        async with asyncio.timeout(SOON):
            await home.journal.wait_for_work(3600)
            home.clock.now = due_at
            await home.journal.wait_for_work(3600)
        assert names(await claim_all(home)) == ["push"]
