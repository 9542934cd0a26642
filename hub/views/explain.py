"""Everything there is to say about one event: why something happened, and why nothing did."""

import shlex
from collections.abc import Sequence
from dataclasses import dataclass

from hub.bus.interface import Bus, Record
from hub.dispatch.handler import Handler
from hub.dispatch.routing import NotWanted, Unreadable, Wanted, decide
from hub.journal.interface import Attempt, Journal, Run, Step
from hub.views.finding import find_events


@dataclass(frozen=True, slots=True, kw_only=True)
class RunStory:
    """A run with all that was tried and done."""

    run: Run
    attempts: tuple[Attempt, ...]
    steps: tuple[Step, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class HandlerStory:
    """What one handler had to do with the event."""

    handler: str
    wanted: bool
    reason: str
    """Why it did not want it, or could not read it; empty where it wanted it."""
    story: RunStory | None
    """None where no run was made: it did not want it, or was installed later."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Explanation:
    """One event and what became of it."""

    record: Record
    handlers: tuple[HandlerStory, ...]

    @property
    def replay_command(self) -> str:
        """The command that runs its handlers again, as far as they are not done."""
        return f"trunkline replay {shlex.quote(self.record.envelope.id)}"


async def explain(
    *, bus: Bus, journal: Journal, handlers: Sequence[Handler], event_id: str
) -> Sequence[Explanation]:
    """Explain the events with this id (or an id that starts so); none where there is none."""
    records = await find_events(event_id, bus=bus, journal=journal)
    return [await _explain(journal, handlers, record) for record in records]


async def _explain(journal: Journal, handlers: Sequence[Handler], record: Record) -> Explanation:
    envelope = record.envelope
    runs = await journal.runs(event=(envelope.source, envelope.id))
    stories = {run.handler: await story_of(journal, run) for run in runs}
    known = [
        HandlerStory(
            handler=handler.name,
            wanted=isinstance(decision, Wanted),
            reason=_reason(decision),
            story=stories.pop(handler.name, None),
        )
        for handler, decision in decide(handlers, envelope)
    ]
    gone = [
        HandlerStory(handler=name, wanted=False, reason="it is no longer installed", story=story)
        for name, story in stories.items()
    ]
    return Explanation(record=record, handlers=(*known, *gone))


async def story_of(journal: Journal, run: Run) -> RunStory:
    """Return a run with its attempts and steps."""
    return RunStory(
        run=run,
        attempts=tuple(await journal.attempts(run.id)),
        steps=tuple(await journal.steps(run.id)),
    )


def _reason(decision: Wanted | NotWanted | Unreadable) -> str:
    match decision:
        case Wanted():
            return ""
        case NotWanted(reason):
            return reason
        case Unreadable(_, error):
            return error
