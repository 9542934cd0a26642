"""Step 5: one attempt at a run, from its claim to its outcome. Nothing is raised but ClaimLost."""

import asyncio
import random
from collections.abc import Callable, Mapping
from dataclasses import dataclass

import structlog

from hub.actions.action import Performers
from hub.dispatch.handler import Handler
from hub.dispatch.live import Interrupted, LiveDo
from hub.dispatch.metrics import DispatchMetrics
from hub.dispatch.outcome import Dead, Done, Outcome, Parked, Retry, Skipped
from hub.dispatch.platform import Platform
from hub.dispatch.retry import RetryPolicy
from hub.errors import ClaimLost, Malformed, PermanentError, TemporaryError
from hub.events.view import View
from hub.journal.interface import Claim, Journal, RunState

_log = structlog.get_logger()


@dataclass(frozen=True, slots=True, kw_only=True)
class Attempts:
    """All that an attempt needs, but for the run."""

    handlers: Mapping[str, Handler]
    journal: Journal
    performers: Performers
    platform: Platform
    retry: RetryPolicy
    timeout_seconds: float
    clock: Callable[[], float]
    chance: random.Random
    metrics: DispatchMetrics

    async def make(self, claim: Claim) -> Outcome:
        """Call the handler, and say how it ended. Raises ClaimLost where another took over."""
        handler = self.handlers.get(claim.handler)
        if handler is None:
            return Parked(f"no handler named {claim.handler} is installed")
        view = handler.view_of(claim.envelope.type)
        if view is None:
            return Parked(f"{claim.handler} is no longer for {claim.envelope.type}")
        do = LiveDo(
            claim=claim,
            platform=self.platform,
            journal=self.journal,
            performers=self.performers,
            clock=self.clock,
            metrics=self.metrics,
        )
        try:
            if crashes := await self._crashes(claim):
                return Dead(f"the process has ended in the middle of it {crashes} times")
            return await self._react(handler, view, do)
        except Interrupted as interruption:
            return interruption.outcome
        except ClaimLost:
            raise
        except BaseException as error:
            if _is_cancelled():
                raise asyncio.CancelledError from error
            # Whatever else a handler raises, even `SystemExit`, ends its attempt and not the hub.
            return self._failed(claim, error)

    async def _crashes(self, claim: Claim) -> int:
        """Return how often the run has taken the process with it, once that is too often."""
        if claim.attempt <= self.retry.attempts:
            return 0
        ended = await self.journal.attempts(claim.run)
        crashes = sum(one.outcome is RunState.READY for one in ended)
        return crashes if crashes >= self.retry.attempts else 0

    async def _react(self, handler: Handler, view: type[View], do: LiveDo) -> Outcome:
        reading = view.read(do.event)
        limit = asyncio.timeout(self.timeout_seconds)
        try:
            async with limit:
                outcome: object = await handler.react(reading, do)
                await do.note()
        except TimeoutError as error:
            if not limit.expired():
                raise
            said = f"the handler took longer than {self.timeout_seconds:g} seconds"
            raise TemporaryError(said) from error
        match outcome:
            case None:
                return Done()
            case Skipped():
                return outcome
            case _:
                said = f"a handler returns Skipped or nothing, and not {type(outcome).__name__}"
                raise PermanentError(said)

    def _failed(self, claim: Claim, error: BaseException) -> Outcome:
        match error:
            case PermanentError() | Malformed():
                return Dead(str(error))
            case TemporaryError():
                return self._retry(claim, str(error), after=error.after)
            case _:
                _log.error("handler_failed", handler=claim.handler, exc_info=error)
                return self._retry(claim, f"{type(error).__name__}: {error}", after=None)

    def _retry(self, claim: Claim, error: str, *, after: float | None) -> Outcome:
        delay = self.retry.delay(claim.attempt, after=after, chance=self.chance)
        if delay is None:
            return Dead(f"{error} (after {claim.attempt} attempts)")
        return Retry(error, self.clock() + delay)


def _is_cancelled() -> bool:
    """Whether somebody ends this task, and not the handler itself."""
    task = asyncio.current_task()
    return task is not None and task.cancelling() > 0


def outcome_name(outcome: Outcome) -> str:
    """Return the outcome's word for logs and metrics: a closed set."""
    match outcome:
        case Done():
            return "done"
        case Skipped():
            return "skipped"
        case Retry():
            return "retrying"
        case Dead():
            return "dead"
        case Parked():
            return "parked"
        case _:
            return "waiting"
