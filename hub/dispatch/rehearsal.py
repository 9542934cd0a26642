"""`Do` without effects: for a handler's test, and for a dry run over a real event.

A handler's test is plain and offline:

    rehearsal = await rehearse(start_pipeline_run, push)
    assert rehearsal.actions == (StartPipelineRun(...),)
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, TypeVar

from hub.actions.action import Action, Call, Performers
from hub.dispatch.handler import Handler
from hub.dispatch.outcome import Dead, Done, Outcome, Skipped
from hub.dispatch.performing import perform
from hub.dispatch.platform import Platform
from hub.errors import Malformed, PermanentError, TemporaryError
from hub.events.envelope import Envelope
from hub.events.view import View

R = TypeVar("R")

NO_EVENT = Envelope(
    id="rehearsal", source="/rehearsal", type="rehearsal", partitionkey="rehearsal", data=b"{}"
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Rehearsal:
    """What a handler would have had done, and how it would have ended."""

    handler: str
    actions: tuple[Action[Any], ...]
    outcome: Outcome

    def of(self, kind: type[Action[R]]) -> tuple[Action[R], ...]:
        """Return its actions of one kind."""
        return tuple(action for action in self.actions if isinstance(action, kind))


@dataclass(slots=True)
class _DryDo:
    event: Envelope
    platform: Platform
    handler: str
    readers: Performers
    replies: Mapping[type[Action[Any]], Any]
    actions: list[Action[Any]] = field(default_factory=list)

    async def __call__(self, action: Action[R]) -> R:
        self.actions.append(action)
        if type(action) in self.replies:
            reply = self.replies[type(action)]
            result: R = reply(action) if callable(reply) else reply
            return result
        if action.reads and type(action) in self.readers:
            call = Call(event=self.event, handler=self.handler, step=len(self.actions), attempt=1)
            return await perform(self.readers, action, call)
        return action.supposed()


async def rehearse(
    handler: Handler,
    about: View | Envelope,
    *,
    platform: Platform | None = None,
    event: Envelope = NO_EVENT,
    replies: Mapping[type[Action[Any]], Any] | None = None,
    readers: Performers | None = None,
) -> Rehearsal:
    """Run a handler without effects, over a view or over an event from the log.

    Actions answer from `replies` (a value, or a function of the action), those that only read from
    `readers` where given, and otherwise what they themselves suppose.
    """
    do = _DryDo(
        event=about if isinstance(about, Envelope) else event,
        platform=platform or Platform(),
        handler=handler.name,
        readers=readers or {},
        replies=replies or {},
    )
    outcome = await _outcome(handler, about, do)
    return Rehearsal(handler=handler.name, actions=tuple(do.actions), outcome=outcome)


async def _outcome(handler: Handler, about: View | Envelope, do: _DryDo) -> Outcome:
    try:
        reading = _reading(handler, about)
        if handler.when is not None and not handler.when(reading):
            return Skipped("its condition (`when`) does not hold")
        return await handler.react(reading, do) or Done()
    except (PermanentError, TemporaryError, Malformed) as error:
        return Dead(str(error))


def _reading(handler: Handler, about: View | Envelope) -> View:
    if isinstance(about, View):
        return about
    view = handler.view_of(about.type)
    if view is None:
        raise Malformed(f"{handler.name} is not for {about.type}")
    return view.read(about)
