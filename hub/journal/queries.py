"""What people and the runner's idle loop ask of the journal in SQLite. Nothing here writes."""

import json
from collections.abc import Sequence

import apsw

from hub.journal.interface import Attempt, Run, RunId, RunState
from hub.journal.rows import EVENT_COLUMNS, Row, attempt_of_row, digest_of, run_of_row

_RUN = """
SELECT
  runs.id, event_id, source, type, handler, lane, state, detail, attempts,
  planned_at, finished_at, due_at
FROM runs JOIN run_events ON run_events.id = runs.event
"""

_MATCHING = """
  AND (:handler IS NULL OR handler = :handler)
  AND (:states = '[]' OR state IN (SELECT value FROM json_each(:states)))
ORDER BY runs.id DESC LIMIT :limit
"""

_OF_EVENT = "runs.event = (SELECT id FROM run_events WHERE digest = :digest)"

_RUNS = f"{_RUN} WHERE TRUE {_MATCHING}"
_RUNS_OF_EVENT = f"{_RUN} WHERE {_OF_EVENT} {_MATCHING}"
_ONE_RUN = f"{_RUN} WHERE runs.id = ?"
_DEAD_LETTERS = f"{_RUN} WHERE state IN ('dead', 'parked') {_MATCHING}"

_EVENT = f"""
SELECT {EVENT_COLUMNS}
FROM run_events WHERE id = (SELECT event FROM runs WHERE id = ?)
"""  # noqa: S608  the columns are the module's own words

_NEXT_DUE_AT = """
SELECT CASE WHEN EXISTS (SELECT 1 FROM runs WHERE turn IS NOT NULL) THEN 0.0
  ELSE (SELECT min(held_until) FROM runs WHERE held_until IS NOT NULL) END
"""

_LETTERS = frozenset({RunState.DEAD, RunState.PARKED})


def runs(
    connection: apsw.Connection,
    *,
    states: Sequence[RunState],
    handler: str | None,
    event: tuple[str, str] | None,
    limit: int,
) -> tuple[Run, ...]:
    """Return the newest runs that match, newest first."""
    values = {
        "handler": handler,
        "states": json.dumps(states),
        "digest": None if event is None else digest_of(*event),
        "limit": limit,
    }
    rows = connection.execute(_statement(states, event), values)
    return tuple(run_of_row(row) for row in rows)


def _statement(states: Sequence[RunState], event: tuple[str, str] | None) -> str:
    """Return the statement whose index fits: dead letters are rare among millions of runs."""
    if event is not None:
        return _RUNS_OF_EVENT
    if states and _LETTERS.issuperset(states):
        return _DEAD_LETTERS
    return _RUNS


def run(connection: apsw.Connection, *, run: RunId) -> tuple[Run, Row] | None:
    """Return one run, and its event as a row."""
    row = connection.execute(_ONE_RUN, (run,)).fetchone()
    event = connection.execute(_EVENT, (run,)).fetchone()
    return None if row is None or event is None else (run_of_row(row), event)


def attempts(connection: apsw.Connection, *, run: RunId) -> tuple[Attempt, ...]:
    """Return the attempts that have ended, in order."""
    rows = connection.execute(
        "SELECT number, started_at, finished_at, outcome, detail "
        "FROM run_attempts WHERE run = ? ORDER BY token",
        (run,),
    )
    return tuple(attempt_of_row(row) for row in rows)


def counts(connection: apsw.Connection) -> dict[RunState, int]:
    """Return how many runs stand in each state."""
    rows = connection.execute("SELECT state, runs FROM run_counts")
    return {RunState(state): int(number) for state, number in rows}


def next_due_at(connection: apsw.Connection) -> float | None:
    """Return when the next run may start: 0 for now, None where no time will make it due."""
    rows: list[Row] = connection.execute(_NEXT_DUE_AT).fetchall()
    due_at: float | None = rows[0][0]
    return due_at


def awaited(connection: apsw.Connection) -> list[tuple[str, str]]:
    """Return the (type, subject) of every wait."""
    rows = connection.execute("SELECT awaits_type, awaits_subject FROM run_waits")
    return [(kind, subject) for kind, subject in rows]
