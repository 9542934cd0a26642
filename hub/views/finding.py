"""Finds an event by its id, or the beginning of it: on the log, or beside a dead letter."""

from collections.abc import Sequence

from hub.bus.interface import Bus, Position, Record
from hub.errors import StorageError
from hub.journal.interface import Journal, Run, RunState

BEGINNING_CHARACTERS = 8
"""The least of an id that stands for the whole; see Bus.find."""

MOST_LETTERS = 10_000

_LETTERS = (RunState.DEAD, RunState.PARKED)


async def find_events(event_id: str, *, bus: Bus, journal: Journal) -> Sequence[Record]:
    """Return the events with this id, or whose id starts with it (8 characters at least).

    A dead letter outlives its event on the log, and can be replayed all the same. Raises
    StorageError where neither has it and the log could not be searched to its beginning.
    """
    try:
        found = await bus.find(event_id)
    except StorageError:
        if not (letters := await _of_letters(event_id, journal)):
            raise
        return letters
    return found or await _of_letters(event_id, journal)


async def _of_letters(event_id: str, journal: Journal) -> Sequence[Record]:
    runs = await journal.runs(states=_LETTERS, limit=MOST_LETTERS)
    matching = {
        (run.event_source, run.event_id): run for run in runs if _names(event_id, run.event_id)
    }
    return [record for run in matching.values() for record in await _record(run, journal)]


async def _record(run: Run, journal: Journal) -> Sequence[Record]:
    found = await journal.run(run.id)
    if found is None:
        return ()
    return (Record(envelope=found[1], position=Position(""), received_at=run.planned_at),)


def _names(text: str, event_id: str) -> bool:
    return event_id == text or (len(text) >= BEGINNING_CHARACTERS and event_id.startswith(text))
