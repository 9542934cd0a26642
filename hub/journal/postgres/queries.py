"""What people and the runner's idle loop ask of the journal in PostgreSQL. Nothing here writes."""

from collections.abc import Sequence

from hub.journal.interface import Attempt, Run, RunId, RunState, Step
from hub.journal.postgres.connecting import Connection
from hub.journal.rows import (
    EVENT_COLUMNS,
    Row,
    attempt_of_row,
    digest_of,
    run_of_row,
    step_of_row,
)

_RUN = """
SELECT
  runs.id, event_id, source, type, runs.handler, lane, state, detail, attempts,
  planned_at, finished_at, due_at
FROM runs JOIN run_events ON run_events.id = runs.event
"""

_MATCHING = """
  AND ($1::text IS NULL OR runs.handler = $1)
  AND (cardinality($2::text[]) = 0 OR state = ANY($2))
ORDER BY runs.id DESC LIMIT $3
"""

_RUNS = f"{_RUN} WHERE TRUE {_MATCHING}"
_OF_EVENT = "runs.event IN (SELECT event FROM run_keys WHERE digest = $4)"
_RUNS_OF_EVENT = f"{_RUN} WHERE {_OF_EVENT} {_MATCHING}"
_DEAD_LETTERS = f"{_RUN} WHERE letter {_MATCHING}"
_ONE_RUN = f"""
SELECT found.*, {", ".join(f"run_events.{name.strip()}" for name in EVENT_COLUMNS.split(","))}
FROM ({_RUN.replace("runs.id,", "runs.id, runs.event,")} WHERE runs.id = $1) AS found
JOIN run_events ON run_events.id = found.event
"""  # noqa: S608  the columns are the module's own words

_NEXT_DUE_AT = """
SELECT CASE WHEN EXISTS (SELECT FROM lanes WHERE turn IS NOT NULL)
    OR EXISTS (SELECT FROM workers WHERE alive_until <= clock_timestamp()) THEN 0.0
  ELSE (SELECT held_until FROM lanes WHERE held_until IS NOT NULL ORDER BY held_until LIMIT 1) END
"""

_LETTERS = frozenset({RunState.DEAD, RunState.PARKED})


async def runs(
    connection: Connection,
    *,
    states: Sequence[RunState],
    handler: str | None,
    event: tuple[str, str] | None,
    limit: int,
) -> tuple[Run, ...]:
    """Return the newest runs that match, newest first."""
    values = (handler, list(states), limit)
    if event is not None:
        rows = await connection.fetch(_RUNS_OF_EVENT, *values, digest_of(*event))
    elif states and _LETTERS.issuperset(states):
        # Dead letters are rare among millions of runs, and have an index of their own.
        rows = await connection.fetch(_DEAD_LETTERS, *values)
    else:
        rows = await connection.fetch(_RUNS, *values)
    return tuple(run_of_row(tuple(row)) for row in rows)


async def run(connection: Connection, *, run: RunId) -> tuple[Run, Row] | None:
    """Return one run, and its event as a row."""
    row = await connection.fetchrow(_ONE_RUN, run)
    if row is None:
        return None
    values = tuple(row)
    return run_of_row((values[0], *values[2:13])), values[13:]


async def attempts(connection: Connection, *, run: RunId) -> tuple[Attempt, ...]:
    """Return the attempts that have ended, in order."""
    rows = await connection.fetch(
        "SELECT number, started_at, finished_at, outcome, detail "
        "FROM run_attempts WHERE run = $1 ORDER BY token",
        run,
    )
    return tuple(attempt_of_row(tuple(row)) for row in rows)


async def steps(connection: Connection, *, run: RunId) -> tuple[Step, ...]:
    """Return the steps of a run that are done, in order."""
    rows = await connection.fetch(
        "SELECT number, name, action, result, started_at, finished_at "
        "FROM run_steps WHERE run = $1 ORDER BY number",
        run,
    )
    return tuple(step_of_row(tuple(row)) for row in rows)


async def counts(connection: Connection) -> dict[RunState, int]:
    """Return how many runs stand in each state."""
    rows = await connection.fetch("SELECT state, sum(runs)::bigint FROM run_counts GROUP BY state")
    return dict.fromkeys(RunState, 0) | {RunState(state): number for state, number in rows}


async def next_due_at(connection: Connection) -> float | None:
    """Return when the next run may start: 0 for now, None where no time will make it due."""
    due_at: float | None = await connection.fetchval(_NEXT_DUE_AT)
    return due_at
