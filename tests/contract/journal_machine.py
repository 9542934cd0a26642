"""Any mix of operations, played on a journal and on a small model of one."""

import asyncio
from collections.abc import Sequence
from contextlib import AbstractAsyncContextManager
from dataclasses import dataclass, field

import pytest
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, precondition, rule
from journal_home import DONE, Home, awaited, event, plan, step, wait

from hub.errors import ClaimLost
from hub.journal.interface import Claim, Finished, Run, RunState


@dataclass
class KnownRun:
    """What the model knows of a run."""

    lane: str
    state: RunState = RunState.READY
    attempts: int = 0
    token: int = 0
    due_at: float | None = None
    awaits: str | None = None
    steps: int = 0
    claim: Claim | None = None


@dataclass
class Model:
    """A journal that is a list of runs, and works everything out by looking at all of them."""

    runs: dict[tuple[str, str], KnownRun] = field(default_factory=dict)

    def claimable(self, now: float) -> dict[tuple[str, str], KnownRun]:
        """Return the first unfinished run of each lane in which none executes, where it is due."""
        busy = {run.lane for run in self.runs.values() if run.state is RunState.RUNNING}
        heads = {}
        for key, run in self.runs.items():
            if not run.state.ended and run.lane not in busy:
                busy.add(run.lane)
                heads[key] = run
        return {
            key: run
            for key, run in heads.items()
            if run.state is RunState.READY or (run.due_at is not None and run.due_at <= now)
        }


NAMES = st.sampled_from([str(number) for number in range(8)])
HANDLERS = st.sampled_from(["build", "tell"])
SUBJECTS = ("x", "y")
ENDINGS = [state for state in RunState if state not in {RunState.READY, RunState.RUNNING}]


class JournalMachine(RuleBasedStateMachine):
    """Any mix of operations leaves the journal as the model says.

    Subclasses open a home. The model's runs are in the order of planning.
    """

    def open_home(self) -> AbstractAsyncContextManager[Home]:
        """Open an empty journal."""
        raise NotImplementedError

    def __init__(self) -> None:
        super().__init__()
        self.model = Model()
        self.stale: list[Claim] = []
        self.runner = asyncio.Runner()
        self.opened = self.open_home()
        self.home = self.runner.run(self._enter())

    async def _enter(self) -> Home:
        return await self.opened.__aenter__()

    def teardown(self) -> None:
        self.runner.run(self._leave())
        self.runner.close()

    async def _leave(self) -> None:
        await self.opened.__aexit__(None, None, None)

    @rule(wanted=st.lists(st.tuples(NAMES, HANDLERS, st.booleans()), min_size=1, max_size=4))
    def plan(self, wanted: list[tuple[str, str, bool]]) -> None:
        plans = []
        for name, handler, readable in wanted:
            lane = str(int(name) % 3)
            stillborn = None if readable else "unreadable"
            planned = plan(name, lane=lane, handler=handler, stillborn=stillborn)
            state = RunState.READY if readable else RunState.DEAD
            plans.append(planned)
            self.model.runs.setdefault((name, handler), KnownRun(lane=planned.lane, state=state))
        self.runner.run(self.home.journal.plan(plans))

    @rule(limit=st.integers(1, 4))
    def claim(self, limit: int) -> None:
        claimable = self.model.claimable(self.home.clock.now)
        claims = self.runner.run(self.home.journal.claim(worker="one", limit=limit))
        assert len(claims) == min(limit, len(claimable))
        for claim in claims:
            run = claimable.pop((claim.envelope.id, claim.handler))
            assert claim.envelope == event(claim.envelope.id)
            assert claim.token > run.token
            run.state, run.due_at, run.awaits = RunState.RUNNING, None, None
            run.attempts, run.token, run.claim = run.attempts + 1, claim.token, claim
            assert (claim.attempt, len(claim.steps)) == (run.attempts, run.steps)

    def _running(self) -> list[KnownRun]:
        return [run for run in self.model.runs.values() if run.state is RunState.RUNNING]

    def _some_running(self, data: st.DataObject) -> tuple[KnownRun, Claim]:
        run = data.draw(st.sampled_from(self._running()))
        assert run.claim is not None
        return run, run.claim

    @precondition(_running)
    @rule(data=st.data())
    def note(self, data: st.DataObject) -> None:
        run, claim = self._some_running(data)
        run.steps += 1
        self.runner.run(self.home.journal.record_steps(claim, [step(run.steps)]))

    @precondition(_running)
    @rule(
        data=st.data(),
        state=st.sampled_from(ENDINGS),
        delay=st.sampled_from([None, 0, 10, 20]),
        subject=st.sampled_from([None, *SUBJECTS]),
    )
    def finish(
        self, data: st.DataObject, state: RunState, delay: int | None, subject: str | None
    ) -> None:
        run, claim = self._some_running(data)
        now = self.home.clock.now
        due_at = None if delay is None or state.ended else now + delay
        waits = state is RunState.WAITING and subject is not None
        finished = Finished(
            state=state,
            due_at=due_at,
            wait=wait(subject, number=run.steps + 1) if waits and subject else None,
        )
        self.runner.run(self.home.journal.finish(claim, finished))
        run.state, run.due_at, run.awaits = state, due_at, subject if waits else None
        if not state.ended and not waits and due_at is None:
            run.due_at = now
        self.stale.append(claim)

    @precondition(_running)
    @rule(data=st.data())
    def release(self, data: st.DataObject) -> None:
        run, claim = self._some_running(data)
        self.runner.run(self.home.journal.release(claim))
        run.state, run.attempts = RunState.READY, run.attempts - 1
        self.stale.append(claim)

    @precondition(lambda self: self.stale)
    @rule(data=st.data())
    def write_too_late(self, data: st.DataObject) -> None:
        claim = data.draw(st.sampled_from(self.stale))
        for write in (
            self.home.journal.record_steps(claim, [step(99)]),
            self.home.journal.finish(claim, DONE),
            self.home.journal.release(claim),
        ):
            with pytest.raises(ClaimLost):
                self.runner.run(write)

    @rule(subject=st.sampled_from(SUBJECTS))
    def wake(self, subject: str) -> None:
        self.runner.run(self.home.journal.wake(awaited(subject), lambda: '"it"'))
        for run in self.model.runs.values():
            if run.awaits == subject:
                run.state, run.due_at, run.awaits = RunState.READY, None, None
                run.steps += 1

    @rule(seconds=st.sampled_from([1, 10, 30]))
    def time_passes(self, seconds: int) -> None:
        self.home.clock.now += seconds

    @precondition(lambda self: self.model.runs)
    @rule(data=st.data(), again=st.booleans())
    def replay(self, data: st.DataObject, *, again: bool) -> None:
        number = data.draw(st.integers(1, len(self.model.runs)))
        run = list(self.model.runs.values())[number - 1]
        possible = {RunState.DEAD, RunState.PARKED}
        if again:
            possible |= {RunState.DONE, RunState.SKIPPED}
        (listed,) = [
            one for one in self._listed() if self.model.runs[one.event_id, one.handler] is run
        ]
        replayed = self.runner.run(self.home.journal.replay(listed.id, again=again))
        assert replayed == (run.state in possible)
        if replayed:
            run.state, run.attempts = RunState.READY, 0
            run.steps = 0 if again else run.steps

    @rule()
    def crash(self) -> None:
        self.runner.run(self.home.crash())
        for run in self._running():
            run.state = RunState.READY
            assert run.claim is not None
            self.stale.append(run.claim)

    def _listed(self) -> Sequence[Run]:
        return self.runner.run(self.home.journal.runs(limit=1000))

    @invariant()
    def the_counts_are_those_of_reality(self) -> None:
        states = [run.state for run in self.model.runs.values()]
        counts = self.runner.run(self.home.journal.counts())
        assert counts == {state: states.count(state) for state in RunState}

    @invariant()
    def every_run_is_as_the_model_says(self) -> None:
        listed = list(reversed(self._listed()))
        assert [(one.event_id, one.handler) for one in listed] == list(self.model.runs)
        for one, run in zip(listed, self.model.runs.values(), strict=True):
            assert (one.state, one.attempts) == (run.state, run.attempts)
            assert (one.finished_at is not None) == run.state.ended
