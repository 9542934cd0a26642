"""The journal in a SQLite file: the port of `hub/journal/interface.py` around the jobs beside it.

The process that owns the file is the only one that claims. A visitor (the command line) may read,
plan and replay; the owner notices within `LOOK_AGAIN_SECONDS`.
"""

import asyncio
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from functools import partial

from hub.errors import ClaimLost, StorageError
from hub.events.envelope import Envelope
from hub.journal import lanes, pruning, queries
from hub.journal.aside import aside
from hub.journal.claimed import Claimed
from hub.journal.interface import Attempt, Claim, Finished, PlannedRun, Run, RunId, RunState, Step
from hub.journal.rows import event_of_row, events_of_rows, rows_of_events
from hub.journal.waits import Waits
from hub.sqlite import Store

LOOK_AGAIN_SECONDS = 1.0
"""How often an idle owner looks for what a visitor changed."""


class SqliteJournal:
    """The journal. `store` must have been migrated with `hub.journal.schema.MIGRATIONS`."""

    def __init__(self, *, store: Store, clock: Callable[[], float]) -> None:
        """`clock` gives Unix time in seconds."""
        self._store = store
        self._clock = clock
        self._changed = asyncio.Event()
        self._waits = Waits()

    async def recover(self) -> int:
        """Make ready again every run that a dead owner has left running; return how many.

        Its attempt stays counted. To be called once, by the owner, before anything else.
        """
        recovered = await self._store.write(partial(lanes.recover, now=self._clock()))
        self._waits.add(await self._store.read(queries.awaited))
        self._changed.set()
        return recovered

    async def plan(self, runs: Sequence[PlannedRun]) -> None:
        """See Journal.plan."""
        events = {(run.envelope.source, run.envelope.id): run.envelope for run in runs}
        size = sum(len(event.data) for event in events.values())
        packed = await aside(size, partial(rows_of_events, events.values()))
        digests = dict(zip(events, (row[0] for row in packed), strict=True))
        now = self._clock()
        job = partial(
            lanes.plan,
            events=packed,
            runs=[
                lanes.row_of_plan(
                    run, digest=digests[run.envelope.source, run.envelope.id], now=now
                )
                for run in runs
            ],
            lanes=tuple(dict.fromkeys(run.lane for run in runs if run.stillborn is None)),
        )
        await self._store.write(job, size=sum(len(row[-1]) for row in packed))
        self._changed.set()

    async def wake(self, envelope: Envelope, result: Callable[[], str]) -> None:
        """See Journal.wake. An event that nobody waits for does not reach the file."""
        if envelope.subject is None or (envelope.type, envelope.subject) not in self._waits:
            return
        awaited = (envelope.type, envelope.subject)
        text = result()
        job = partial(lanes.wake, awaited=awaited, result=text, now=self._clock())
        woken = await self._store.write(job, size=len(text))
        self._waits.remove(awaited, woken)
        self._changed.set()

    async def claim(self, *, worker: str, limit: int) -> Sequence[Claim]:
        """See Journal.claim. The lane that has been due the longest comes first."""
        job = partial(lanes.claim, worker=worker, limit=limit, now=self._clock())
        claimed = await self._store.write(job)
        for one in claimed:
            if one.waited_for is not None:
                self._waits.remove(one.waited_for)
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
        parked = Finished(state=RunState.PARKED, detail=why)
        job = partial(lanes.finish, claim=claimed, finished=parked, now=self._clock())
        # Where not even that can be written, the next owner comes to it: others are claimed.
        with suppress(StorageError):
            await self._store.write(job)
            self._changed.set()

    def holds(self, claim: Claim) -> bool:  # noqa: ARG002  one process owns the file
        """See Journal.holds. Nobody takes a run from the file's one owner."""
        return True

    async def wait_for_work(self, timeout: float) -> None:
        """See Journal.wait_for_work."""
        loop = asyncio.get_running_loop()
        deadline = loop.time() + timeout
        while (left := deadline - loop.time()) > 0:
            due_at = await self._store.read(queries.next_due_at)
            until_due = left if due_at is None else due_at - self._clock()
            if await self._changes_within(min(left, until_due, LOOK_AGAIN_SECONDS)):
                return
            if until_due <= LOOK_AGAIN_SECONDS:
                return

    async def _changes_within(self, seconds: float) -> bool:
        try:
            async with asyncio.timeout(seconds):
                await self._changed.wait()
        except TimeoutError:
            return False
        self._changed.clear()
        return True

    async def record_steps(self, claim: Claim, steps: Sequence[Step]) -> None:
        """See Journal.record_steps."""
        job = partial(lanes.record_steps, claim=claim, steps=steps)
        await self._store.write(job, size=sum(len(one.action) + len(one.result) for one in steps))

    async def finish(self, claim: Claim, finished: Finished) -> None:
        """See Journal.finish."""
        wait = finished.wait
        awaited = () if wait is None else ((wait.awaits_type, wait.awaits_subject),)
        self._waits.add(awaited)
        job = partial(lanes.finish, claim=claim, finished=finished, now=self._clock())
        try:
            await self._store.write(job)
        except ClaimLost:
            for one in awaited:
                self._waits.remove(one)
            raise
        self._changed.set()

    async def release(self, claim: Claim) -> None:
        """See Journal.release."""
        await self._store.write(partial(lanes.release, claim=claim))
        self._changed.set()

    async def replay(self, run: RunId, *, again: bool) -> bool:
        """See Journal.replay."""
        replayed = await self._store.write(partial(lanes.replay, run=run, again=again))
        self._changed.set()
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
        return await self._store.read(
            partial(queries.runs, states=states, handler=handler, event=event, limit=limit)
        )

    async def run(self, run: RunId) -> tuple[Run, Envelope] | None:
        """See Journal.run."""
        found = await self._store.read(partial(queries.run, run=run))
        if found is None:
            return None
        row = found[1]
        return found[0], await aside(len(row[-1]), partial(event_of_row, row))

    async def attempts(self, run: RunId) -> Sequence[Attempt]:
        """See Journal.attempts."""
        return await self._store.read(partial(queries.attempts, run=run))

    async def steps(self, run: RunId) -> Sequence[Step]:
        """See Journal.steps."""
        return await self._store.read(partial(lanes.steps, run=run))

    async def counts(self) -> Mapping[RunState, int]:
        """See Journal.counts."""
        return await self._store.read(queries.counts)

    async def prune(self, *, runs_before: float, keys_before: float, limit: int) -> int:
        """See Journal.prune, and `hub/journal/pruning.py` for what becomes of the room.

        The newest run stays whatever its age. Keys go in the order in which their runs went.
        """
        return await pruning.prune(
            self._store, runs_before=runs_before, keys_before=keys_before, limit=limit
        )
