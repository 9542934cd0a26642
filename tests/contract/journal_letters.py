"""What every journal must do with what has ended: keep it, show it, replay it."""

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

from hub.journal.interface import Finished, Run, RunId, RunState


class LettersSuite:
    """Subclasses have a fixture `home`."""

    async def test_a_dead_letter_keeps_everything(self, home: Home) -> None:
        await home.journal.plan([plan("push")])
        claim = await claim_one(home)
        await home.journal.record_steps(claim, [step(1)])
        await home.journal.finish(claim, DEAD)
        await home.crash()
        found = await home.journal.run(claim.run)
        assert found is not None
        run, envelope = found
        assert (run.state, run.detail, run.attempts) == (RunState.DEAD, "no such pipeline", 1)
        assert envelope == event("push")
        assert await home.journal.steps(claim.run) == (step(1),)
        (attempt,) = await home.journal.attempts(claim.run)
        assert (attempt.outcome, attempt.detail) == (RunState.DEAD, "no such pipeline")

    @pytest.mark.parametrize("state", [RunState.DEAD, RunState.PARKED])
    async def test_a_replayed_dead_letter_goes_on_from_its_steps_with_its_attempts_anew(
        self, home: Home, state: RunState
    ) -> None:
        await home.journal.plan([plan("push")])
        claim = await claim_one(home)
        await home.journal.record_steps(claim, [step(1)])
        await home.journal.finish(claim, Finished(state=state, detail="broken"))
        assert await home.journal.replay(claim.run, again=False)
        run = await only_run(home)
        assert (run.state, run.detail, run.attempts) == (RunState.READY, "", 0)
        assert run.finished_at is None
        again = await claim_one(home)
        assert (again.envelope, again.steps, again.attempt) == (event("push"), (step(1),), 1)
        await home.journal.finish(again, DONE)
        assert [one.number for one in await home.journal.attempts(claim.run)] == [1, 1]

    async def test_a_stillborn_run_can_be_replayed(self, home: Home) -> None:
        await home.journal.plan([plan("odd", stillborn="unreadable")])
        assert await home.journal.replay((await only_run(home)).id, again=False)
        assert (await claim_one(home)).envelope == event("odd")

    @pytest.mark.parametrize("state", [RunState.DONE, RunState.SKIPPED])
    async def test_what_went_well_is_replayed_only_again_and_without_its_steps(
        self, home: Home, state: RunState
    ) -> None:
        await home.journal.plan([plan("push")])
        claim = await claim_one(home)
        await home.journal.record_steps(claim, [step(1)])
        await home.journal.finish(claim, Finished(state=state))
        assert not await home.journal.replay(claim.run, again=False)
        assert await claim_all(home) == ()
        assert await home.journal.replay(claim.run, again=True)
        again = await claim_one(home)
        assert (again.steps, again.attempt) == ((), 1)
        assert again.token > claim.token

    async def test_a_run_that_has_not_ended_is_not_replayed(self, home: Home) -> None:
        await home.journal.plan([plan("push")])
        assert not await home.journal.replay((await only_run(home)).id, again=True)
        claim = await claim_one(home)
        assert not await home.journal.replay(claim.run, again=True)
        assert not await home.journal.replay(RunId(claim.run + 1), again=True)
        await home.journal.finish(claim, DONE)

    async def test_a_replayed_run_goes_before_the_younger_ones_of_its_lane(
        self, home: Home
    ) -> None:
        await home.journal.plan([plan("old"), plan("young"), plan("youngest")])
        old = await claim_one(home)
        await home.journal.finish(old, DEAD)
        await home.journal.replay(old.run, again=False)
        again = await claim_one(home)
        assert again.envelope.id == "old"
        await home.journal.finish(again, DONE)
        assert names(await claim_all(home)) == ["young"]

    async def test_a_replayed_run_waits_until_the_one_that_executes_has_ended(
        self, home: Home
    ) -> None:
        await home.journal.plan([plan("old"), plan("young")])
        old = await claim_one(home)
        await home.journal.finish(old, DEAD)
        young = await claim_one(home)
        await home.journal.replay(old.run, again=False)
        assert await claim_all(home) == ()
        retrying = Finished(state=RunState.RETRYING, due_at=home.clock.now)
        await home.journal.finish(young, retrying)
        assert names(await claim_all(home)) == ["old"]

    async def test_a_replayed_run_goes_before_a_younger_one_that_is_held(self, home: Home) -> None:
        await home.journal.plan([plan("old"), plan("young")])
        old = await claim_one(home)
        await home.journal.finish(old, DEAD)
        held = Finished(state=RunState.RETRYING, due_at=home.clock.now + 60)
        await home.journal.finish(await claim_one(home), held)
        await home.journal.replay(old.run, again=False)
        home.clock.now += 60
        again = await claim_one(home)
        assert again.envelope.id == "old"
        await home.journal.finish(again, DONE)
        assert names(await claim_all(home)) == ["young"]

    async def test_runs_are_listed_newest_first_and_found_by_what_is_known_of_them(
        self, home: Home
    ) -> None:
        await home.journal.plan([plan("1", lane="a"), plan("2", lane="b"), plan("3", lane="c")])
        await home.journal.plan([plan("3", lane="c", handler="tell")])
        claims = await claim_all(home, 2)
        await home.journal.finish(claims[0], DEAD)
        await home.journal.finish(claims[1], DONE)
        journal, source = home.journal, event("3").source

        def ids(runs: Sequence[Run]) -> list[str]:
            return [f"{run.event_id} {run.handler}" for run in runs]

        assert ids(await journal.runs()) == ["3 tell", "3 build", "2 build", "1 build"]
        assert ids(await journal.runs(limit=1)) == ["3 tell"]
        assert ids(await journal.runs(handler="build", limit=2)) == ["3 build", "2 build"]
        assert ids(await journal.runs(states=[RunState.DEAD, RunState.PARKED])) == ["1 build"]
        ended = [RunState.DEAD, RunState.DONE]
        assert ids(await journal.runs(states=ended)) == ["2 build", "1 build"]
        assert ids(await journal.runs(event=(source, "3"))) == ["3 tell", "3 build"]
        assert ids(await journal.runs(event=(source, "3"), handler="tell")) == ["3 tell"]
        assert await journal.runs(event=("elsewhere", "3")) == ()
        assert await journal.runs(handler="unknown") == ()

    async def test_a_run_tells_what_people_ask(self, home: Home) -> None:
        await home.journal.plan([plan("push")])
        claim = await claim_one(home)
        skipped = Finished(state=RunState.SKIPPED, detail="not a branch that is built")
        await home.journal.finish(claim, skipped)
        assert await only_run(home) == Run(
            id=claim.run,
            event_id="push",
            event_source=event("push").source,
            event_type="com.github.push",
            handler="build",
            lane="build/a",
            state=RunState.SKIPPED,
            detail="not a branch that is built",
            attempts=1,
            planned_at=home.clock.now,
            finished_at=home.clock.now,
            due_at=None,
        )

    async def test_a_run_that_is_not_there_is_none(self, home: Home) -> None:
        assert await home.journal.run(RunId(1)) is None
        assert await home.journal.steps(RunId(1)) == ()
        assert await home.journal.attempts(RunId(1)) == ()

    async def test_every_state_is_counted(self, home: Home) -> None:
        await home.journal.plan([plan(str(lane), lane=str(lane)) for lane in range(4)])
        await home.journal.plan([plan("odd", stillborn="unreadable")])
        first, second = await claim_all(home, 2)
        await home.journal.finish(first, DONE)
        await home.journal.finish(second, Finished(state=RunState.WAITING, wait=wait("x")))
        assert await home.journal.counts() == {
            RunState.READY: 2,
            RunState.RUNNING: 0,
            RunState.RETRYING: 0,
            RunState.WAITING: 1,
            RunState.DONE: 1,
            RunState.SKIPPED: 0,
            RunState.DEAD: 1,
            RunState.PARKED: 0,
        }
