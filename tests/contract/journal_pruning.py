"""What every journal must do to forget what went well, and nothing else.

A journal may keep its newest run whatever its age, so each test here has one that is newer.
"""

from collections.abc import Sequence

import pytest
from journal_home import (
    DEAD,
    DONE,
    Home,
    claim_all,
    claim_one,
    event,
    names,
    only_run,
    plan,
    step,
    wait,
)

from hub.journal.interface import Claim, Finished, RunId, RunState

SKIPPED = Finished(state=RunState.SKIPPED, detail="not a branch that is built")


async def ended(home: Home, name: str, how: Finished = DONE, *, handler: str = "build") -> Claim:
    """Plan a run in a lane of its own, and end it."""
    await home.journal.plan([plan(name, lane=name, handler=handler)])
    claim = await claim_one(home)
    await home.journal.record_steps(claim, [step(1)])
    await home.journal.finish(claim, how)
    return claim


async def newer(home: Home, name: str = "newer") -> None:
    """Let a minute pass, and something happen."""
    home.clock.now += 60
    await home.journal.plan([plan(name, lane=name)])
    await home.journal.finish(await claim_one(home), DONE)


async def forget(home: Home, *, age: float = 60, keys: float = 3600, limit: int = 100) -> int:
    """Forget runs that ended `age` seconds ago or earlier, and keys of `keys` seconds."""
    # Times are whole seconds here, and what is forgotten ended before a time, not at it.
    now = home.clock.now + 0.5
    return await home.journal.prune(runs_before=now - age, keys_before=now - keys, limit=limit)


async def left(home: Home) -> list[str]:
    return [run.event_id for run in reversed(await home.journal.runs())]


async def counted(home: Home) -> dict[RunState, int]:
    return {state: number for state, number in (await home.journal.counts()).items() if number}


class PruningSuite:
    """Subclasses have a fixture `home`."""

    @pytest.mark.parametrize("how", [DONE, SKIPPED])
    async def test_a_run_that_went_well_is_forgotten_with_all_that_is_known_of_it(
        self, home: Home, how: Finished
    ) -> None:
        claim = await ended(home, "old", how)
        await newer(home)
        assert await forget(home) == 1
        assert await left(home) == ["newer"]
        assert await home.journal.run(claim.run) is None
        assert await home.journal.steps(claim.run) == ()
        assert await home.journal.attempts(claim.run) == ()
        assert not await home.journal.replay(claim.run, again=True)
        assert await counted(home) == {RunState.DONE: 1}
        await home.crash()
        assert await left(home) == ["newer"]

    async def test_a_run_that_ended_lately_is_kept_however_long_ago_it_was_planned(
        self, home: Home
    ) -> None:
        await home.journal.plan([plan("slow", lane="slow")])
        slow = await claim_one(home)
        await ended(home, "quick")
        await newer(home)
        await home.journal.finish(slow, DONE)
        assert await forget(home) == 1
        assert await left(home) == ["slow", "newer"]
        assert await home.journal.steps(slow.run) == ()

    @pytest.mark.parametrize("how", [DEAD, Finished(state=RunState.PARKED, detail="differs")])
    async def test_a_dead_letter_is_kept_until_it_was_replayed_and_went_well(
        self, home: Home, how: Finished
    ) -> None:
        claim = await ended(home, "dead", how)
        await newer(home)
        assert await forget(home) == 0
        found = await home.journal.run(claim.run)
        assert found is not None
        assert found[1] == event("dead")
        assert await home.journal.steps(claim.run) == (step(1),)
        await home.journal.replay(claim.run, again=False)
        await home.journal.finish(await claim_one(home), DONE)
        assert await forget(home) == 0
        await newer(home, "newest")
        assert await forget(home) == 2
        assert await left(home) == ["newest"]

    async def test_what_has_not_ended_is_kept(self, home: Home) -> None:
        lanes = ("ready", "retrying", "waiting", "running")
        await home.journal.plan([plan(lane, lane=lane) for lane in lanes])
        claims = {claim.envelope.id: claim for claim in await claim_all(home)}
        retrying = Finished(state=RunState.RETRYING, due_at=home.clock.now + 9_999)
        await home.journal.finish(claims["retrying"], retrying)
        waiting = Finished(state=RunState.WAITING, wait=wait("x"))
        await home.journal.finish(claims["waiting"], waiting)
        await newer(home)
        await home.journal.release(claims["ready"])
        assert await forget(home) == 0
        await home.journal.finish(claims["running"], DONE)
        assert await left(home) == [*lanes, "newer"]
        assert names(await claim_all(home)) == ["ready"]

    async def test_an_event_that_was_forgotten_makes_no_second_run(self, home: Home) -> None:
        await ended(home, "old")
        await newer(home)
        await forget(home)
        await home.crash()
        await home.journal.plan([plan("old"), plan("fresh")])
        assert names(await claim_all(home)) == ["fresh"]
        assert await left(home) == ["newer", "fresh"]

    async def test_an_event_makes_runs_again_once_its_key_is_forgotten_too(
        self, home: Home
    ) -> None:
        await ended(home, "old")
        await newer(home)
        await forget(home, keys=61)
        await home.journal.plan([plan("old")])
        assert await claim_all(home) == ()
        await forget(home, keys=60)
        await home.journal.plan([plan("old")])
        again = await claim_one(home)
        assert (again.envelope, again.steps, again.attempt) == (event("old"), (), 1)

    async def test_all_keys_that_are_old_enough_are_forgotten_at_once(self, home: Home) -> None:
        olds = [str(number) for number in range(5)]
        for name in olds:
            await ended(home, name)
        await newer(home)
        assert await forget(home) == len(olds)
        await forget(home, keys=60, limit=2)
        await home.journal.plan([plan(name, lane=name) for name in olds])
        assert names(await claim_all(home)) == olds

    async def test_a_handler_that_is_new_has_its_run_for_an_event_that_others_are_done_with(
        self, home: Home
    ) -> None:
        await ended(home, "old")
        await newer(home)
        await forget(home)
        again = [plan("old", handler=handler) for handler in ("build", "tell")]
        await home.journal.plan(again)
        claim = await claim_one(home)
        assert (claim.handler, claim.envelope) == ("tell", event("old"))
        assert await claim_all(home) == ()

    async def test_the_event_stays_for_the_runs_that_are_left(self, home: Home) -> None:
        await ended(home, "push")
        dead = await ended(home, "push", DEAD, handler="tell")
        await newer(home)
        assert await forget(home) == 1
        found = await home.journal.run(dead.run)
        assert found is not None
        assert found[1] == event("push")
        await home.journal.plan([plan("push"), plan("push", handler="tell")])
        assert await claim_all(home) == ()
        await home.journal.replay(dead.run, again=False)
        again = await claim_one(home)
        assert (again.envelope, again.steps) == (event("push"), (step(1),))
        await home.journal.finish(again, DONE)

    async def test_no_more_runs_are_forgotten_than_asked_for_and_the_oldest_first(
        self, home: Home
    ) -> None:
        for name in "abc":
            await ended(home, name)
            home.clock.now += 1
        await newer(home)
        assert await forget(home, limit=2) == 2
        assert await left(home) == ["c", "newer"]
        assert await forget(home, limit=2) == 1
        assert await forget(home, limit=2) == 0

    async def test_what_is_forgotten_between_others_of_its_lane_changes_nothing_for_them(
        self, home: Home
    ) -> None:
        await home.journal.plan([plan("first"), plan("second"), plan("third")])
        await home.journal.finish(await claim_one(home), DEAD)
        await home.journal.finish(await claim_one(home), DONE)
        home.clock.now += 60
        assert await forget(home) == 1
        first, _ = await _oldest_first(home)
        await home.journal.replay(first, again=False)
        assert names(await claim_all(home)) == ["first"]

    async def test_numbers_of_runs_that_were_forgotten_are_not_used_again(self, home: Home) -> None:
        old = await ended(home, "old")
        home.clock.now += 60
        await forget(home)
        await home.journal.plan([plan("next")])
        assert (await claim_one(home)).run > old.run

    async def test_an_empty_journal_has_nothing_to_forget(self, home: Home) -> None:
        assert await forget(home) == 0
        await home.journal.plan([plan("push")])
        assert await forget(home) == 0
        assert (await only_run(home)).state is RunState.READY


async def _oldest_first(home: Home) -> Sequence[RunId]:
    return [run.id for run in reversed(await home.journal.runs())]
