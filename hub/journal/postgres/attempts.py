"""What is written under claims: steps, and how attempts end. Many of each in one statement."""

from collections.abc import Sequence
from dataclasses import dataclass

from hub.journal.interface import Finished, RunId, RunState, Step, Wait
from hub.journal.postgres.connecting import Connection
from hub.journal.postgres.lanes import short_digest
from hub.journal.postgres.planning import printable
from hub.journal.rows import Row, row_of_step

_LEAVE = "SELECT * FROM leave_lanes($1, $2, $3, $4, $5, $6, $7, $8)"

_NOTE = """
WITH held AS (
  SELECT lanes.run, lanes.token
  FROM unnest($1::bigint[], $2::bigint[], $3::bigint[]) AS claim (key, run, token)
  JOIN lanes ON lanes.key = claim.key AND lanes.run = claim.run AND lanes.token = claim.token
  ORDER BY lanes.key FOR UPDATE OF lanes
), noted AS (
  INSERT INTO run_steps (run, number, name, action, result, started_at, finished_at)
  SELECT run, number, name, action, result, started_at, finished_at FROM unnest(
    $4::bigint[], $5::bigint[], $6::integer[], $7::text[], $8::text[], $9::text[],
    $10::double precision[], $11::double precision[]
  ) AS step (token, run, number, name, action, result, started_at, finished_at)
  JOIN held USING (run, token)
  ON CONFLICT (run, number) DO NOTHING
)
SELECT run, token FROM held
"""

_WRITE_STEPS = """
INSERT INTO run_steps (run, number, name, action, result, started_at, finished_at)
SELECT * FROM unnest(
  $1::bigint[], $2::integer[], $3::text[], $4::text[], $5::text[],
  $6::double precision[], $7::double precision[]
)
ON CONFLICT (run, number) DO NOTHING
"""

_WRITE_WAITS = """
INSERT INTO run_waits
  (run, token, awaited, step, name, action, awaits_type, awaits_subject, since)
SELECT * FROM unnest(
  $1::bigint[], $2::bigint[], $3::bigint[], $4::integer[], $5::text[], $6::text[], $7::text[],
  $8::text[], $9::double precision[]
)
ON CONFLICT (run) DO UPDATE SET
  token = excluded.token, awaited = excluded.awaited, step = excluded.step, name = excluded.name,
  action = excluded.action, awaits_type = excluded.awaits_type,
  awaits_subject = excluded.awaits_subject, since = excluded.since
"""


ClaimKey = tuple[RunId, int]
"""A run and the token under which it is executed."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Held:
    """A claim, as far as it has to be shown to write under it."""

    lane: int
    """The lane's key."""
    run: RunId
    token: int


async def leave(
    connection: Connection, endings: Sequence[tuple[Held, Finished | None]], *, now: float
) -> set[ClaimKey]:
    """End these attempts, or undo that they were begun, and free their lanes.

    Returns the claims that were held; under the others nothing is done. None stands here twice.
    """
    if not endings:
        return set()
    rows = [(one.lane, one.run, one.token, *_row_of(how, now)) for one, how in endings]
    held = await connection.fetch(_LEAVE, *_columns(rows), now)
    return {(run, token) for run, token in held}


def _row_of(finished: Finished | None, now: float) -> Row:
    if finished is None:
        return (None, None, None, None)
    ended_at = now if finished.state.ended else None
    return (finished.state, printable(finished.detail), _due_at(finished, now), ended_at)


def _due_at(finished: Finished, now: float) -> float | None:
    if finished.state.ended or finished.state is RunState.READY:
        return None
    if finished.due_at is None and finished.wait is None:
        # It names nothing that would ever make it due, and must not hold its lane for good.
        return now
    return finished.due_at


async def note(
    connection: Connection, notes: Sequence[tuple[Held, Sequence[Step]]]
) -> set[ClaimKey]:
    """Note steps as done, and return the claims that were held.

    Those noted before stay: their commit was not heard of.
    """
    if not notes:
        return set()
    claims = {(one.lane, one.run, one.token) for one, _ in notes}
    steps = [(one.token, *row_of_step(one.run, step)) for one, steps in notes for step in steps]
    columns = _columns(steps) if steps else [[]] * 8
    held = await connection.fetch(_NOTE, *_columns(list(claims)), *columns)
    return {(run, token) for run, token in held}


async def write_steps(connection: Connection, steps: Sequence[tuple[RunId, Step]]) -> None:
    """Note steps of runs whose lanes are held. Those noted before stay."""
    if steps:
        rows = [row_of_step(run, step) for run, step in steps]
        await connection.execute(_WRITE_STEPS, *_columns(rows))


async def write_waits(
    connection: Connection, waits: Sequence[tuple[RunId, int, Wait]], *, now: float
) -> None:
    """Note what runs wait for since their attempts with these tokens."""
    if waits:
        rows = [_row_of_wait(run, token, wait, now) for run, token, wait in waits]
        await connection.execute(_WRITE_WAITS, *_columns(rows))


def _row_of_wait(run: RunId, token: int, wait: Wait, now: float) -> Row:
    return (
        run,
        token,
        short_digest(wait.awaits_type, wait.awaits_subject),
        wait.step,
        wait.name,
        wait.action,
        wait.awaits_type,
        wait.awaits_subject,
        now,
    )


def _columns(rows: Sequence[Row]) -> list[list[object]]:
    return [list(column) for column in zip(*rows, strict=True)]
