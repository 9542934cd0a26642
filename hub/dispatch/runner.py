"""Step 5: claims runs and has them executed, as many lanes at a time as the settings allow."""

import asyncio
from collections.abc import Awaitable, Callable
from contextlib import AbstractContextManager, suppress

import structlog

from hub.dispatch.attempt import Attempts, outcome_name
from hub.dispatch.outcome import Dead, Done, Outcome, Parked, Retry, Skipped, Waiting
from hub.dispatch.pausing import pause
from hub.errors import ClaimLost, StorageError
from hub.journal.interface import Claim, Finished, RunState

LOOK_AGAIN_SECONDS = 30.0
"""The longest a runner sleeps without looking; the journal looks more often where it must."""

CLAIM_RUNS = 25
"""In one claim. What starts together often ends together, and has to share the event loop and a
commit then: a hundred at once wait longer for that than in four groups."""

LET_GO_SECONDS = 2.0
"""For a handler that is told to end: enough to tidy up, and little beside the 30 s after which
Kubernetes kills."""

_log = structlog.get_logger()


Bury = Callable[[Claim, Dead | Parked], Awaitable[None]]
"""Tells the platform of a dead letter, before the run is noted as dead or parked."""

Running = Callable[[str], AbstractContextManager[None]]
"""Marks the code inside as the work of a handler, for the watchdog of the event loop."""


class Runner:
    """Executes runs until it is told to stop."""

    def __init__(
        self,
        *,
        attempts: Attempts,
        concurrency: int,
        worker: str,
        bury: Bury,
        running: Running,
    ) -> None:
        self._attempts = attempts
        self._journal = attempts.journal
        self._concurrency = concurrency
        self._worker = worker
        self._bury = bury
        self._running = running
        self._metrics = attempts.metrics
        self._tasks: dict[asyncio.Task[None], Claim] = {}
        self._slot_freed = asyncio.Event()
        self._claiming = asyncio.Lock()
        self._stopping = asyncio.Event()

    async def run(self) -> None:
        """Execute runs until `stop`, which sees to those in flight; an error gives them back."""
        try:
            while not self._stopping.is_set():
                if not await self._start_some():
                    await self._wait()
        except BaseException:
            if not self._stopping.is_set():
                await self._give_back()
            raise

    async def drain(self) -> None:
        """Execute all that is due, and return when nothing is."""
        while True:
            if await self._start_some():
                continue
            if not self._tasks:
                return
            await asyncio.wait(self._tasks, return_when=asyncio.FIRST_COMPLETED)

    async def stop(self, *, within_seconds: float) -> None:
        """Claim nothing more, and let the runs in flight end; give back what takes longer."""
        self._stopping.set()
        self._slot_freed.set()
        async with self._claiming:
            in_flight = tuple(self._tasks)
        if in_flight:
            await asyncio.wait(in_flight, timeout=within_seconds)
        await self._give_back()

    async def _start_some(self) -> bool:
        free = self._concurrency - len(self._tasks)
        if free <= 0:
            return False
        try:
            return await self._claim(min(free, CLAIM_RUNS))
        except StorageError as error:
            await pause("claiming_paused", error)
            return False

    async def _claim(self, limit: int) -> bool:
        # Under a lock, so that `stop` meets no claim that is nobody's task yet.
        async with self._claiming:
            if self._stopping.is_set():
                return False
            claims = await self._journal.claim(worker=self._worker, limit=limit)
            for claim in claims:
                task = asyncio.create_task(self._execute(claim), name=f"run {claim.run}")
                self._tasks[task] = claim
                task.add_done_callback(self._ended)
        return bool(claims)

    def _ended(self, task: asyncio.Task[None]) -> None:
        self._tasks.pop(task, None)
        self._slot_freed.set()
        if not task.cancelled() and (error := task.exception()) is not None:
            _log.error("run_task_failed", exc_info=error)

    async def _wait(self) -> None:
        if len(self._tasks) >= self._concurrency:
            self._slot_freed.clear()
            await self._slot_freed.wait()
        elif not self._stopping.is_set():
            try:
                await self._journal.wait_for_work(LOOK_AGAIN_SECONDS)
            except StorageError as error:
                await pause("claiming_paused", error)

    async def _give_back(self) -> None:
        # Here and not in the task: one that is cancelled before its first step never runs at all.
        in_flight = dict(self._tasks)
        for task in in_flight:
            task.cancel()
        if in_flight:
            await asyncio.wait(in_flight, timeout=LET_GO_SECONDS)
        for task, claim in in_flight.items():
            if not task.done():
                # Its run stays claimed: given back, it could be executed twice at the same time.
                _log.error("run_not_let_go", handler=claim.handler, run=claim.run)
            elif task.cancelled():
                # A finish that was on its way may have won: then nothing is left to give back.
                with suppress(StorageError):
                    await self._journal.release(claim)

    async def _execute(self, claim: Claim) -> None:
        log = _log.bind(
            handler=claim.handler,
            event_id=claim.envelope.id,
            event_type=claim.envelope.type,
            run=claim.run,
            attempt=claim.attempt,
        )
        started = self._attempts.clock()
        try:
            with self._running(claim.handler):
                outcome = await self._attempts.make(claim)
            await self._settle(claim, outcome)
        except ClaimLost:
            log.warning("run_taken_over")
        else:
            seconds = self._attempts.clock() - started
            name = outcome_name(outcome)
            self._metrics.run_ended(handler=claim.handler, outcome=name, seconds=seconds)
            log.info("run_ended", outcome=name, ms=round(seconds * 1000, 1), **_said(outcome))

    async def _settle(self, claim: Claim, outcome: Outcome) -> None:
        """Note the outcome, however long the disk takes to come back."""
        while True:
            try:
                if isinstance(outcome, Dead | Parked):
                    await self._bury(claim, outcome)
                await self._journal.finish(claim, _finished(outcome))
            except ClaimLost:
                raise
            except StorageError as error:
                await pause("settling_paused", error)
            else:
                return


def _finished(outcome: Outcome) -> Finished:
    match outcome:
        case Done():
            return Finished(state=RunState.DONE)
        case Skipped(reason):
            return Finished(state=RunState.SKIPPED, detail=reason)
        case Retry(error, due_at):
            return Finished(state=RunState.RETRYING, detail=error, due_at=due_at)
        case Waiting(due_at, wait):
            detail = f"{wait.awaits_type} of {wait.awaits_subject}" if wait else "a time"
            return Finished(state=RunState.WAITING, detail=detail, due_at=due_at, wait=wait)
        case Dead(error):
            return Finished(state=RunState.DEAD, detail=error)
        case Parked(reason):
            return Finished(state=RunState.PARKED, detail=reason)


def _said(outcome: Outcome) -> dict[str, str]:
    match outcome:
        case Retry(said, _) | Dead(said) | Parked(said) | Skipped(said):
            return {"detail": said}
        case _:
            return {}
