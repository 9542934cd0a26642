"""`Do` for real: each action is performed once and journalled as a step.

An action that only reads is journalled together with the first effect after it: until something has
been done outside, a retry looks at the world anew.
"""

from collections.abc import Callable
from typing import TypeVar

from hub.actions.action import Action, Call, Performers, decode_result, encode_action, encode_result
from hub.actions.wait import WaitForEvent, WaitUntil
from hub.dispatch.metrics import DispatchMetrics
from hub.dispatch.outcome import Outcome, Parked, Skipped, Waiting
from hub.dispatch.performing import perform
from hub.dispatch.platform import Platform
from hub.errors import ClaimLost, PermanentError
from hub.events.envelope import Envelope
from hub.journal.interface import Claim, Journal, Step, Wait

R = TypeVar("R")


class Interrupted(BaseException):
    """Takes a run out of its handler, with the outcome it has come to.

    Not an Exception, so that a handler's own `except Exception` does not hold it up.
    """

    def __init__(self, outcome: Outcome) -> None:
        super().__init__(str(outcome))
        self.outcome = outcome


class LiveDo:
    """One attempt's `do`. Steps that an earlier attempt has done answer from the journal."""

    def __init__(
        self,
        *,
        claim: Claim,
        platform: Platform,
        journal: Journal,
        performers: Performers,
        clock: Callable[[], float],
        metrics: DispatchMetrics,
    ) -> None:
        self._claim = claim
        self._platform = platform
        self._journal = journal
        self._performers = performers
        self._clock = clock
        self._metrics = metrics
        self._done = {step.number: step for step in claim.steps}
        self._unnoted: list[Step] = []
        self._number = 0
        self._busy = False

    @property
    def event(self) -> Envelope:
        """The event that is handled."""
        return self._claim.envelope

    @property
    def platform(self) -> Platform:
        """What the platform's owners have agreed on."""
        return self._platform

    async def __call__(self, action: Action[R]) -> R:
        """Do the action, or answer what an earlier attempt has journalled for it."""
        if self._busy:
            # Steps are told apart by their number, so their order must not be left to chance.
            raise PermanentError("a handler may have one action done at a time")
        self._busy = True
        try:
            self._number += 1
            done = self._done.get(self._number)
            return await self._do(action) if done is None else _answer(action, done)
        finally:
            self._busy = False

    async def _do(self, action: Action[R]) -> R:
        started_at = self._clock()
        if isinstance(action, WaitForEvent | WaitUntil):
            self._hold_on(action)
        result = await self._perform(action, started_at)
        self._unnoted.append(
            Step(
                number=self._number,
                name=action.name,
                action=encode_action(action),
                result=encode_result(action, result),
                started_at=started_at,
                finished_at=self._clock(),
            )
        )
        if not action.reads:
            await self.note()
        return result

    async def _perform(self, action: Action[R], started_at: float) -> R:
        performers = _WAITED if type(action) in _WAITED else self._performers
        if type(action) not in performers:
            reason = f"{action.name} is left out: the settings name no system for it"
            raise Interrupted(Skipped(reason))
        if not self._journal.holds(self._claim):
            raise ClaimLost(f"the lease on run {self._claim.run} has passed")
        outcome = "failed"
        try:
            result: R = await perform(performers, action, self._call())
            outcome = "done"
        finally:
            self._metrics.step_ended(
                action=action.name, outcome=outcome, seconds=self._clock() - started_at
            )
        return result

    async def note(self) -> None:
        """Journal what has been read and done since the last time. Raises ClaimLost."""
        if self._unnoted:
            await self._journal.record_steps(self._claim, self._unnoted)
            self._unnoted = []

    def _call(self) -> Call:
        return Call(
            event=self._claim.envelope,
            handler=self._claim.handler,
            step=self._number,
            attempt=self._claim.attempt,
        )

    def _hold_on(self, action: WaitForEvent | WaitUntil) -> None:
        due_at = action.until if isinstance(action, WaitForEvent) else action.at
        if self._clock() < due_at:
            raise Interrupted(Waiting(due_at=due_at, wait=self._wait(action)))

    def _wait(self, action: WaitForEvent | WaitUntil) -> Wait | None:
        if isinstance(action, WaitUntil):
            return None
        return Wait(
            step=self._number,
            name=action.name,
            action=encode_action(action),
            awaits_type=action.type,
            awaits_subject=action.subject,
        )


async def _time_is_up(_action: Action[None], _call: Call) -> None:
    """Answer a wait that nothing has come of."""


_WAITED: Performers = {WaitForEvent: _time_is_up, WaitUntil: _time_is_up}


def _answer(action: Action[R], done: Step) -> R:
    now = encode_action(action)
    if (done.name, done.action) != (action.name, now):
        raise Interrupted(
            Parked(
                f"step {done.number} was {done.name} {done.action}, "
                f"and the handler now asks for {action.name} {now}"
            )
        )
    return decode_result(action, done.result)
