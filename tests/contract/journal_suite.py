"""What every journal must do, whichever engine keeps it.

An engine joins by subclassing `JournalSuite`, `RecordsSuite` and `JournalMachine` with a home of
its own: see `test_journal.py`.
"""

import asyncio
from dataclasses import replace

import pytest
from journal_home import DONE, Home, claim_all, claim_one, event, names, only_run, plan, step, wait
from journal_letters import LettersSuite
from journal_pruning import PruningSuite
from journal_waits import IdlenessSuite, WaitsSuite

from hub.errors import ClaimLost
from hub.events.envelope import Envelope
from hub.journal.interface import Claim, Finished, RunState


class LanesSuite:
    """Subclasses have a fixture `home`."""

    async def test_the_runs_of_a_lane_execute_in_the_order_of_planning(self, home: Home) -> None:
        await home.journal.plan([plan("first"), plan("second")])
        await home.journal.plan([plan("third")])
        seen = []
        while claims := await claim_all(home):
            seen.append(names(claims))
            await home.journal.finish(claims[0], DONE)
        assert seen == [["first"], ["second"], ["third"]]

    async def test_a_lane_is_never_executed_twice_at_the_same_time(self, home: Home) -> None:
        await home.journal.plan([plan("first"), plan("second")])
        await claim_one(home)
        assert await claim_all(home) == ()

    async def test_a_lane_that_executes_retries_or_waits_holds_back_no_other(
        self, home: Home
    ) -> None:
        lanes = ("executing", "retrying", "waiting", "free")
        await home.journal.plan([plan(f"1 {lane}", lane=lane) for lane in lanes])
        await home.journal.plan([plan(f"2 {lane}", lane=lane) for lane in lanes])
        _, retrying, waiting, free = await claim_all(home)
        later = home.clock.now + 60
        await home.journal.finish(retrying, Finished(state=RunState.RETRYING, due_at=later))
        await home.journal.finish(waiting, Finished(state=RunState.WAITING, wait=wait("x")))
        await home.journal.finish(free, DONE)
        assert names(await claim_all(home)) == ["2 free"]

    async def test_lanes_take_turns(self, home: Home) -> None:
        await home.journal.plan([plan(f"long {number}", lane="long") for number in range(3)])
        await home.journal.plan([plan("short", lane="short")])
        await home.journal.finish(await claim_one(home), DONE)
        assert names([await claim_one(home)]) == ["short"]
        assert names([await claim_one(home)]) == ["long 1"]

    async def test_no_more_runs_are_claimed_than_asked_for(self, home: Home) -> None:
        await home.journal.plan([plan(str(lane), lane=str(lane)) for lane in range(5)])
        assert names(await claim_all(home, 2)) == ["0", "1"]
        assert names(await claim_all(home, 2)) == ["2", "3"]

    async def test_planning_twice_makes_one_run(self, home: Home) -> None:
        await home.journal.plan([plan("push"), plan("push")])
        await home.journal.plan([plan("push")])
        await home.journal.finish(await claim_one(home), DONE)
        await home.journal.plan([plan("push")])
        assert await claim_all(home) == ()
        assert (await only_run(home)).state is RunState.DONE

    async def test_each_handler_has_a_run_of_its_own_for_an_event(self, home: Home) -> None:
        await home.journal.plan([plan("push", handler="build"), plan("push", handler="tell")])
        assert {claim.handler for claim in await claim_all(home)} == {"build", "tell"}

    async def test_the_same_id_of_another_source_is_another_event(self, home: Home) -> None:
        other = replace(event("push"), source="https://api.github.com/repos/company/ledger")
        await home.journal.plan([plan("push"), replace(plan("push", lane="b"), envelope=other)])
        claims = await claim_all(home)
        assert [claim.envelope.source for claim in claims] == [event("push").source, other.source]

    async def test_planning_nothing_changes_nothing(self, home: Home) -> None:
        await home.journal.plan([])
        assert set((await home.journal.counts()).values()) == {0}

    async def test_a_stillborn_run_is_a_dead_letter_and_holds_no_lane(self, home: Home) -> None:
        await home.journal.plan([plan("odd", stillborn="no field 'after'"), plan("next")])
        assert names(await claim_all(home)) == ["next"]
        (dead,) = await home.journal.runs(states=[RunState.DEAD])
        assert (dead.event_id, dead.detail, dead.attempts) == ("odd", "no field 'after'", 0)
        assert dead.finished_at == home.clock.now

    @pytest.mark.parametrize("data", [b"", b"\x00\xff{", b'{"text": "' + b"x" * 1_000_000 + b'"}'])
    async def test_an_event_comes_back_as_it_was_planned(self, home: Home, data: bytes) -> None:
        whole = Envelope(
            id="72d3162e",
            source="https://api.github.com/repos/company/payments",
            type="com.github.push",
            partitionkey="company/payments",
            data=data,
            subject="refs/heads/größe",
            time="2026-01-01T00:00:00Z",
            datacontenttype="application/json",
            dataschema="https://example.com/schema",
            traceparent="00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01",
            hubhops=3,
            hubkey="github/first",
            extensions=(("region", "eu"), ("tenant", "a")),
        )
        await home.journal.plan([replace(plan("any"), envelope=whole)])
        claim = await claim_one(home)
        assert claim.envelope == whole
        found = await home.journal.run(claim.run)
        assert found is not None
        assert found[1] == whole

    async def test_a_crash_counts_the_attempt(self, home: Home) -> None:
        await home.journal.plan([plan("push"), plan("next")])
        claim = await claim_one(home)
        await home.crash()
        again = await claim_one(home)
        assert (again.envelope.id, claim.attempt, again.attempt) == ("push", 1, 2)
        (interrupted,) = await home.journal.attempts(claim.run)
        assert (interrupted.number, interrupted.outcome) == (1, RunState.READY)
        assert "one" in interrupted.detail

    async def test_steps_that_are_done_survive_a_crash(self, home: Home) -> None:
        await home.journal.plan([plan("push")])
        await home.journal.record_steps(await claim_one(home), [step(1), step(2, result='"x"')])
        await home.crash()
        assert (await claim_one(home)).steps == (step(1), step(2, result='"x"'))

    async def test_a_step_that_is_noted_again_stays_as_it_is(self, home: Home) -> None:
        await home.journal.plan([plan("push")])
        claim = await claim_one(home)
        await home.journal.record_steps(claim, [step(1)])
        await home.journal.record_steps(claim, [step(1), step(2)])
        assert await home.journal.steps(claim.run) == (step(1), step(2))

    async def test_a_worker_that_was_overtaken_can_write_nothing(self, home: Home) -> None:
        await home.journal.plan([plan("push")])
        stale = await claim_one(home)
        await home.crash()
        fresh = await claim_one(home)
        assert fresh.token > stale.token
        await self._writes_are_refused(home, stale)
        assert (await only_run(home)).state is RunState.RUNNING
        assert await home.journal.steps(stale.run) == ()

    async def test_nothing_is_written_to_a_run_that_was_finished_or_given_back(
        self, home: Home
    ) -> None:
        await home.journal.plan([plan("finished", lane="a"), plan("given back", lane="b")])
        finished, given_back = await claim_all(home)
        await home.journal.finish(finished, DONE)
        await home.journal.release(given_back)
        await self._writes_are_refused(home, finished)
        await self._writes_are_refused(home, given_back)

    async def _writes_are_refused(self, home: Home, claim: Claim) -> None:
        with pytest.raises(ClaimLost):
            await home.journal.record_steps(claim, [step(1)])
        with pytest.raises(ClaimLost):
            await home.journal.finish(claim, DONE)
        with pytest.raises(ClaimLost):
            await home.journal.finish(claim, Finished(state=RunState.WAITING, wait=wait("x")))
        with pytest.raises(ClaimLost):
            await home.journal.release(claim)

    async def test_a_run_given_back_is_ready_and_its_attempt_does_not_count(
        self, home: Home
    ) -> None:
        await home.journal.plan([plan("push")])
        await home.journal.release(await claim_one(home))
        again = await claim_one(home)
        assert again.attempt == 1
        assert await home.journal.attempts(again.run) == ()

    async def test_a_retry_is_not_due_before_its_time(self, home: Home) -> None:
        await home.journal.plan([plan("push")])
        due_at = home.clock.now + 60
        retrying = Finished(state=RunState.RETRYING, detail="502", due_at=due_at)
        await home.journal.finish(await claim_one(home), retrying)
        assert (await only_run(home)).due_at == due_at
        home.clock.now = due_at - 0.001
        assert await claim_all(home) == ()
        home.clock.now = due_at
        assert (await claim_one(home)).attempt == 2

    async def test_setting_the_clock_back_holds_up_nobody_who_was_ready(self, home: Home) -> None:
        await home.journal.plan([plan("push")])
        home.clock.now -= 3600
        assert names(await claim_all(home)) == ["push"]

    async def test_attempts_are_kept_with_their_times_and_outcomes(self, home: Home) -> None:
        await home.journal.plan([plan("push")])
        begun = home.clock.now
        claim = await claim_one(home)
        home.clock.now += 2
        retrying = Finished(state=RunState.RETRYING, detail="502", due_at=home.clock.now + 8)
        await home.journal.finish(claim, retrying)
        home.clock.now += 8
        await home.journal.finish(await claim_one(home), DONE)
        first, second = await home.journal.attempts(claim.run)
        assert (first.number, first.outcome, first.detail) == (1, RunState.RETRYING, "502")
        assert (first.started_at, first.finished_at) == (begun, begun + 2)
        assert (second.number, second.outcome, second.started_at) == (2, RunState.DONE, begun + 10)


class JournalSuite(LanesSuite, WaitsSuite, IdlenessSuite, LettersSuite, PruningSuite):
    """All that a journal must do."""


class RecordsSuite:
    """Subclasses have a fixture `home`."""

    async def test_a_record_that_was_never_put_is_none(self, home: Home) -> None:
        assert await home.records.get("deployment", "payments") is None

    async def test_a_record_is_put_by_whoever_has_seen_its_last_version(self, home: Home) -> None:
        records = home.records
        assert await records.put("deployment", "payments", "one", expected=0)
        assert not await records.put("deployment", "payments", "two", expected=0)
        assert await records.put("deployment", "payments", "two", expected=1)
        assert not await records.put("deployment", "payments", "three", expected=1)
        found = await records.get("deployment", "payments")
        assert found is not None
        assert (found.value, found.version) == ("two", 2)

    async def test_a_record_that_is_not_there_has_no_version_to_expect(self, home: Home) -> None:
        assert not await home.records.put("deployment", "payments", "one", expected=1)
        assert await home.records.get("deployment", "payments") is None

    async def test_records_of_different_kinds_and_keys_are_different(self, home: Home) -> None:
        records = home.records
        assert await records.put("deployment", "payments", "one", expected=0)
        assert await records.put("message", "payments", "two", expected=0)
        assert await records.put("deployment", "ledger", "three", expected=0)
        found = await records.get("message", "payments")
        assert found is not None
        assert found.value == "two"

    async def test_of_writers_at_the_same_time_one_wins(self, home: Home) -> None:
        puts = (home.records.put("deployment", "payments", str(n), expected=0) for n in range(20))
        assert sum(await asyncio.gather(*puts)) == 1
