"""The journal in PostgreSQL: the port of `hub/journal/interface.py` around the jobs beside it.

Any number of processes may claim, plan, replay and read; the order of each lane holds across them.
"""

import asyncio
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from functools import partial

from hub.errors import ClaimLost, StorageError
from hub.events.envelope import Envelope
from hub.journal.aside import aside
from hub.journal.claimed import Claimed
from hub.journal.interface import Attempt, Claim, Finished, PlannedRun, Run, RunId, RunState, Step
from hub.journal.postgres import planning, pruning, queries, waking
from hub.journal.postgres.claims import Claims
from hub.journal.postgres.notices import Notices
from hub.journal.postgres.planning import Key, Plan
from hub.journal.postgres.settling import End, GiveBack, Note, Settling
from hub.journal.postgres.store import PostgresStore
from hub.journal.postgres.waking import Awaited
from hub.journal.rows import digest_of, event_of_row, events_of_rows, rows_of_events

LOOK_AGAIN_SECONDS = 5.0
"""How often an idle worker looks for what no notice has told it of."""

_BREATH_SECONDS = 0.05
"""Between two looks at a line whose lanes are held by others just now."""


class PostgresJournal:
    """See Journal."""

    def __init__(self, *, store: PostgresStore, clock: Callable[[], float]) -> None:
        """`clock` gives Unix time in seconds; what is due is compared with it."""
        self._store = store
        self._clock = clock
        self._notices = Notices(store=store)
        self._claims = Claims(store=store, clock=clock, freed=self._notices.say)
        self._settling = Settling(store=store, clock=clock, freed=self._notices.say)
        self._found_nothing = False

    async def recover(self) -> int:
        """Make ready again what workers whose lease has passed have left running; return how many.

        Their attempts stay counted. Whoever claims does so by itself now and then.
        """
        return await self._claims.recover()

    async def plan(self, runs: Sequence[PlannedRun]) -> None:
        """See Journal.plan. Planning what is there already sends no bodies."""
        runs_by_key: dict[Key, PlannedRun] = {}
        for run in runs:
            digest = digest_of(run.envelope.source, run.envelope.id)
            runs_by_key.setdefault((digest, run.handler), run)
        if not runs_by_key:
            return
        events = {digest: run.envelope for (digest, _), run in runs_by_key.items()}
        size = sum(len(event.data) for event in events.values())
        rows = await aside(size, partial(rows_of_events, events.values()))
        plan = Plan(runs=runs_by_key, events={row[0]: row for row in rows}, now=self._clock())
        if await self._store.transact(partial(planning.plan, plan=plan)):
            self._notices.say()

    async def wake(self, envelope: Envelope, result: Callable[[], str]) -> None:
        """See Journal.wake. An event that nobody waits for costs a look into one index."""
        awaited = Awaited.of(envelope)
        if awaited is None:
            return
        keys = await self._store.run(partial(waking.waiting, awaited=awaited))
        if keys:
            job = partial(
                waking.wake, awaited=awaited, keys=keys, result=result(), now=self._clock()
            )
            await self._store.transact(job)
            self._notices.say()

    async def claim(self, *, worker: str, limit: int) -> Sequence[Claim]:
        """See Journal.claim. The lane that has been due the longest comes first."""
        claimed = await self._claims.claim(worker=worker, limit=limit)
        self._found_nothing = not claimed
        rows = [one.event for one in claimed]
        size = sum(len(row[-1]) for row in rows)
        events = await aside(size, partial(events_of_rows, rows))
        claims = []
        for one, event in zip(claimed, events, strict=True):
            if isinstance(event, StorageError):
                await self._park(one, str(event))
            else:
                claims.append(one.with_event(event))
        return tuple(claims)

    async def _park(self, claimed: Claimed, why: str) -> None:
        # Where not even that can be written, it falls back to whoever claims next.
        with suppress(StorageError):
            await self._leave(claimed, End(finished=Finished(state=RunState.PARKED, detail=why)))

    def holds(self, claim: Claim) -> bool:
        """Whether a claim still stands as far as this process can know without asking.

        A worker that was paused or cut off for longer than its lease learns here that others may
        have taken over, before it acts once more.
        """
        return self._claims.hold(claim)

    async def wait_for_work(self, timeout: float) -> None:
        """See Journal.wait_for_work."""
        loop = asyncio.get_running_loop()
        deadline = loop.time() + timeout
        while (left := deadline - loop.time()) > 0:
            due_at = await self._store.run(queries.next_due_at)
            until_due = left if due_at is None else due_at - self._clock()
            if self._found_nothing:
                until_due = max(until_due, _BREATH_SECONDS)
            if await self._notices.within(min(left, until_due, LOOK_AGAIN_SECONDS)):
                return
            if until_due <= LOOK_AGAIN_SECONDS:
                return

    async def record_steps(self, claim: Claim, steps: Sequence[Step]) -> None:
        """See Journal.record_steps."""
        await self._settling.submit(claim, Note(steps=steps))

    async def finish(self, claim: Claim, finished: Finished) -> None:
        """See Journal.finish."""
        await self._leave(claim, End(finished=finished))

    async def release(self, claim: Claim) -> None:
        """See Journal.release."""
        await self._leave(claim, GiveBack())

    async def _leave(self, claim: Claim | Claimed, how: End | GiveBack) -> None:
        try:
            await self._settling.submit(claim, how)
        except ClaimLost:
            self._claims.drop(claim)
            raise
        self._claims.drop(claim)

    async def replay(self, run: RunId, *, again: bool) -> bool:
        """See Journal.replay."""
        replayed = await self._store.transact(partial(waking.replay, run=run, again=again))
        if replayed:
            self._notices.say()
        return replayed

    async def runs(
        self,
        *,
        states: Sequence[RunState] = (),
        handler: str | None = None,
        event: tuple[str, str] | None = None,
        limit: int = 100,
    ) -> Sequence[Run]:
        """See Journal.runs."""
        return await self._store.run(
            partial(queries.runs, states=states, handler=handler, event=event, limit=limit)
        )

    async def run(self, run: RunId) -> tuple[Run, Envelope] | None:
        """See Journal.run."""
        found = await self._store.run(partial(queries.run, run=run))
        if found is None:
            return None
        row = found[1]
        return found[0], await aside(len(row[-1]), partial(event_of_row, row))

    async def attempts(self, run: RunId) -> Sequence[Attempt]:
        """See Journal.attempts."""
        return await self._store.run(partial(queries.attempts, run=run))

    async def steps(self, run: RunId) -> Sequence[Step]:
        """See Journal.steps."""
        return await self._store.run(partial(queries.steps, run=run))

    async def counts(self) -> Mapping[RunState, int]:
        """See Journal.counts."""
        return await self._store.run(queries.counts)

    async def prune(self, *, runs_before: float, keys_before: float, limit: int) -> int:
        """See Journal.prune."""
        return await pruning.prune(
            self._store, runs_before=runs_before, keys_before=keys_before, limit=limit
        )
