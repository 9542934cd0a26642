"""Claiming: the first runs of the line are started, by one worker each.

A claim is one statement. Lanes that another worker holds just now are stepped over. A run that the
statement does not see yet stays in line, as only lanes whose run was started are taken.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any
from uuid import UUID

from hub.journal.claimed import Claimed
from hub.journal.interface import Finished, RunId, RunState, Step
from hub.journal.postgres import attempts
from hub.journal.postgres.attempts import Held
from hub.journal.postgres.connecting import Connection
from hub.journal.rows import EVENT_COLUMNS, step_of_row

_CLAIM = f"""
WITH mine AS MATERIALIZED (
  SELECT session FROM workers WHERE session = $1 AND alive_until > clock_timestamp()
  FOR KEY SHARE
), due AS (
  UPDATE lanes SET turn = (SELECT nextval('run_turns')), held_until = NULL
  WHERE key IN (
    SELECT key FROM lanes WHERE held_until <= $4 ORDER BY held_until LIMIT $3
    FOR UPDATE SKIP LOCKED
  )
  RETURNING key
), next AS MATERIALIZED (
  SELECT key, run, turn FROM lanes WHERE turn IS NOT NULL AND EXISTS (SELECT FROM mine)
  ORDER BY turn, run LIMIT $3 FOR UPDATE SKIP LOCKED
), started AS (
  UPDATE runs SET
    state = 'running', due_at = NULL, token = token + 1, attempts = attempts + 1,
    worker = $2, started_at = $4
  FROM next WHERE id = next.run AND state IN ('ready', 'retrying', 'waiting')
  RETURNING id, token, handler, lane, attempts, event, key, turn
), taken AS (
  UPDATE lanes SET turn = NULL, session = $1, token = started.token
  FROM started WHERE lanes.key = started.key
), in_vain AS (
  DELETE FROM run_waits USING started WHERE run = started.id
)
SELECT
  EXISTS (SELECT FROM mine), EXISTS (SELECT FROM due),
  EXISTS (SELECT FROM workers WHERE alive_until <= clock_timestamp()),
  started.id, token, handler, lane, attempts, {EVENT_COLUMNS}
FROM (VALUES (TRUE)) AS always
LEFT JOIN started ON TRUE
LEFT JOIN run_events ON run_events.id = started.event
ORDER BY turn, started.id
"""  # noqa: S608  the columns are the module's own words

_STEPS = """
SELECT run, number, name, action, result, started_at, finished_at
FROM run_steps WHERE run = ANY($1::bigint[]) ORDER BY run, number
"""

_DEAD = """
SELECT session FROM workers WHERE alive_until <= clock_timestamp() FOR UPDATE SKIP LOCKED
"""

_EXECUTING = """
SELECT key, run, token FROM lanes
WHERE session = ANY($1::uuid[]) AND run <> ALL($2::bigint[]) ORDER BY key FOR UPDATE
"""

_WORKERS = "SELECT id, worker FROM runs WHERE id = ANY($1::bigint[])"


@dataclass(frozen=True, slots=True, kw_only=True)
class Haul:
    """What one look at the line has brought."""

    claims: Sequence[Claimed]
    leased: bool
    """Whether the session is still good; else there are no claims."""
    more: bool
    """Whether runs that became due have queued up meanwhile."""
    others_gone: bool
    """Whether a worker's lease has passed, so that its runs can be taken over."""


async def claim(
    connection: Connection, *, session: UUID, worker: str, limit: int, now: float
) -> Haul:
    """Start the first `limit` runs of the line, behind which those that became due queue up."""
    rows = await connection.fetch(_CLAIM, session, worker, limit, now)
    started = [row for row in rows if row[3] is not None]
    steps = await _steps(connection, [row[3] for row in started if row[4] > 1])
    leased, more, others_gone = rows[0][:3]
    claims = [_claimed(row, steps.get(row[3], ())) for row in started]
    return Haul(claims=claims, leased=leased, more=more, others_gone=others_gone)


def _claimed(row: Any, steps: Sequence[Step]) -> Claimed:
    run, token, handler, lane, attempt, *event = tuple(row)[3:]
    return Claimed(
        run=run,
        token=token,
        handler=handler,
        lane=lane,
        attempt=attempt,
        event=tuple(event),
        steps=tuple(steps),
    )


async def _steps(connection: Connection, runs: Sequence[RunId]) -> dict[RunId, list[Step]]:
    found: dict[RunId, list[Step]] = {}
    if runs:
        for run, *step in await connection.fetch(_STEPS, runs):
            found.setdefault(run, []).append(step_of_row(tuple(step)))
    return found


async def recover(connection: Connection, *, now: float) -> int:
    """End, in a transaction, the attempts of workers whose lease has passed; return how many."""
    sessions = [row[0] for row in await connection.fetch(_DEAD)]
    if not sessions:
        return 0
    executing = await _executing(connection, sessions, [])
    workers = dict(await connection.fetch(_WORKERS, [one.run for one in executing]))
    endings = [(one, _interrupted(workers[one.run])) for one in executing]
    await attempts.leave(connection, endings, now=now)
    await connection.execute("DELETE FROM workers WHERE session = ANY($1::uuid[])", sessions)
    return len(executing)


def _interrupted(worker: str) -> Finished:
    said = f"interrupted: {worker} stopped in the middle of it"
    return Finished(state=RunState.READY, detail=said)


async def give_back_unknown(
    connection: Connection, *, session: UUID, known: Sequence[RunId], now: float
) -> int:
    """Give back, in a transaction, what was claimed by answers that were lost on the way."""
    unknown = await _executing(connection, [session], known)
    await attempts.leave(connection, [(one, None) for one in unknown], now=now)
    return len(unknown)


async def _executing(
    connection: Connection, sessions: Sequence[UUID], but: Sequence[RunId]
) -> list[Held]:
    """Hold the lanes in which these sessions execute something, but for some runs."""
    rows = await connection.fetch(_EXECUTING, sessions, but)
    return [Held(lane=lane, run=run, token=token) for lane, run, token in rows]
