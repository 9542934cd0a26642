"""Planning: an event becomes runs, each of them once.

Keys are taken before lanes, and both in an order of their own, so that planners never wait for each
other in a circle. The numbers of runs are drawn while their lanes are held: so they are in the
order in which the plans got the lane.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from hub.journal.interface import PlannedRun, RunState
from hub.journal.postgres import lanes
from hub.journal.postgres.connecting import Connection
from hub.journal.rows import EVENT_COLUMNS, Row

_TAKE_KEYS = """
WITH wanted AS (SELECT * FROM unnest($1::bytea[], $2::text[]) AS wanted (digest, handler)),
numbered AS (
  SELECT digest, nextval('run_event_numbers') AS event
  FROM (SELECT DISTINCT digest FROM wanted) AS events
)
INSERT INTO run_keys (digest, handler, event)
SELECT digest, handler, event FROM wanted JOIN numbered USING (digest) ORDER BY digest, handler
ON CONFLICT (digest, handler) DO NOTHING
RETURNING digest, handler, event
"""

_WRITE_EVENT = f"""
INSERT INTO run_events (id, digest, {EVENT_COLUMNS})
VALUES ($1, $2, {", ".join(f"${at + 3}" for at in range(len(EVENT_COLUMNS.split(","))))})
"""  # noqa: S608  the columns are the module's own words

_WRITE_RUNS = """
INSERT INTO runs (event, handler, lane, lane_key, state, detail, planned_at, finished_at)
SELECT event, handler, lane, lane_key, state, detail, planned_at, finished_at FROM unnest(
  $1::bigint[], $2::text[], $3::text[], $4::bigint[], $5::text[], $6::text[],
  $7::double precision[], $8::double precision[]
) WITH ORDINALITY
AS planned (event, handler, lane, lane_key, state, detail, planned_at, finished_at, place)
ORDER BY place
"""

Key = tuple[bytes, str]
"""An event's digest and a handler's name: what there is one run of."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Plan:
    """What is to be there: the runs by their keys, in order, and the rows of their events."""

    runs: Mapping[Key, PlannedRun]
    events: Mapping[bytes, Row]
    now: float


async def plan(connection: Connection, *, plan: Plan) -> bool:
    """Write, in a transaction, what is not there yet; say whether a run may have become due."""
    numbers = await _take_keys(connection, plan.runs)
    runs = {key: run for key, run in plan.runs.items() if key in numbers}
    if not runs:
        return False
    living = (lanes.key_of(run.lane) for run in runs.values() if run.stillborn is None)
    fresh = await lanes.take_new(connection, living)
    events = {digest: numbers[digest, handler] for digest, handler in runs}
    await connection.executemany(
        _WRITE_EVENT, [(number, *plan.events[digest]) for digest, number in events.items()]
    )
    rows = [_row_of_plan(run, event=numbers[key], now=plan.now) for key, run in runs.items()]
    await connection.execute(_WRITE_RUNS, *map(list, zip(*rows, strict=True)))
    await lanes.offer(connection, fresh)
    return bool(fresh)


async def _take_keys(
    connection: Connection, keys: Sequence[Key] | Mapping[Key, object]
) -> dict[Key, int]:
    """Take the keys that nobody has, and return the numbers that their events are to get."""
    digests, handlers = map(list, zip(*keys, strict=True))
    rows = await connection.fetch(_TAKE_KEYS, digests, handlers)
    return {(digest, handler): event for digest, handler, event in rows}


def _row_of_plan(run: PlannedRun, *, event: int, now: float) -> Row:
    head = (event, run.handler, run.lane, lanes.key_of(run.lane))
    if run.stillborn is None:
        return (*head, RunState.READY, "", now, None)
    return (*head, RunState.DEAD, printable(run.stillborn), now, now)


def printable(text: str) -> str:
    """Return a text of whatever origin as one that PostgreSQL takes."""
    return text.replace("\x00", "\ufffd").encode("utf-8", "replace").decode()
