"""The jobs that move runs, in SQLite: each is one step of a run's life, inside one commit.

A lane's first unfinished run stands in the line (`turn`) where it may start now, or is held
(`held_until`) where it is due later; every other run of the lane is in neither. So claiming reads
the head of one short index, whatever waits behind it. Whoever changes a run lets its lane
`_offer` its next one before the commit.

Being in line does not depend on the clock: setting it back holds up nobody who was ready.
"""

from collections.abc import Sequence

import apsw

from hub.errors import ClaimLost
from hub.journal import pruning
from hub.journal.claimed import Claimed
from hub.journal.interface import Claim, Finished, PlannedRun, RunId, RunState, Step, Wait
from hub.journal.rows import EVENT_COLUMNS, Row, row_of_step, step_of_row

_WRITE_EVENT = f"""
INSERT INTO run_events (digest, {EVENT_COLUMNS})
VALUES (?, {", ".join("?" for _ in EVENT_COLUMNS.split(","))})
ON CONFLICT (digest) DO NOTHING
"""  # noqa: S608  the columns are the module's own words

_WRITE_RUN = """
INSERT INTO runs (event, handler, lane, state, detail, planned_at, finished_at)
VALUES ((SELECT id FROM run_events WHERE digest = ?), ?, ?, ?, ?, ?, ?)
ON CONFLICT (event, handler) DO NOTHING
"""

_OFFER = """
UPDATE runs SET
  turn = CASE state WHEN 'ready' THEN
    (SELECT coalesce(max(turn), 0) + 1 FROM runs WHERE turn IS NOT NULL) END,
  held_until = CASE state WHEN 'ready' THEN NULL ELSE due_at END
WHERE id = (SELECT id FROM runs WHERE lane = ?1 AND finished_at IS NULL ORDER BY id LIMIT 1)
  AND turn IS NULL AND held_until IS NULL
  AND NOT EXISTS (SELECT 1 FROM runs WHERE lane = ?1 AND state = 'running')
"""

_WITHDRAW = """
UPDATE runs SET turn = NULL, held_until = NULL
WHERE id = (SELECT id FROM runs WHERE lane = ? AND finished_at IS NULL ORDER BY id LIMIT 1)
"""

_LET_DUE_STAND_IN_LINE = """
UPDATE runs SET
  turn = (SELECT coalesce(max(turn), 0) + 1 FROM runs WHERE turn IS NOT NULL),
  held_until = NULL
WHERE id IN (SELECT id FROM runs WHERE held_until <= ? ORDER BY held_until LIMIT ?)
"""

_FIRST_IN_LINE = f"""
SELECT runs.id, token + 1, handler, lane, attempts + 1, state, {EVENT_COLUMNS}
FROM runs JOIN run_events ON run_events.id = runs.event
WHERE turn IS NOT NULL ORDER BY turn, runs.id LIMIT ?
"""  # noqa: S608  the columns are the module's own words

_START = """
UPDATE runs SET
  state = 'running', turn = NULL, due_at = NULL, token = token + 1, attempts = attempts + 1,
  worker = ?, started_at = ?
WHERE id = ?
"""

_WRITE_STEP = """
INSERT INTO run_steps (run, number, name, action, result, started_at, finished_at)
VALUES (?, ?, ?, ?, ?, ?, ?)
ON CONFLICT (run, number) DO NOTHING
"""

_STEPS = """
SELECT number, name, action, result, started_at, finished_at
FROM run_steps WHERE run = ? ORDER BY number
"""


def plan(
    connection: apsw.Connection, *, events: Sequence[Row], runs: Sequence[Row], lanes: Sequence[str]
) -> None:
    """Write what is not there yet; `lanes` are those of the runs that can be executed."""
    events, runs = pruning.unforgotten(connection, events=events, runs=runs)
    connection.executemany(_WRITE_EVENT, events)
    connection.executemany(_WRITE_RUN, runs)
    connection.executemany(_OFFER, ((lane,) for lane in lanes))


def row_of_plan(plan: PlannedRun, *, digest: bytes, now: float) -> Row:
    """Return what `_WRITE_RUN` takes."""
    if plan.stillborn is None:
        return (digest, plan.handler, plan.lane, RunState.READY, "", now, None)
    return (digest, plan.handler, plan.lane, RunState.DEAD, plan.stillborn, now, now)


def claim(connection: apsw.Connection, *, worker: str, limit: int, now: float) -> list[Claimed]:
    """Start the first `limit` runs of the line, behind which those that became due queue up."""
    connection.execute(_LET_DUE_STAND_IN_LINE, (now, limit))
    rows = connection.execute(_FIRST_IN_LINE, (limit,)).fetchall()
    connection.executemany(_START, ((worker, now, row[0]) for row in rows))
    return [_claimed(connection, row) for row in rows]


def _claimed(connection: apsw.Connection, row: Row) -> Claimed:
    run, token, handler, lane, attempt, state, *event = row
    return Claimed(
        run=run,
        token=token,
        handler=handler,
        lane=lane,
        attempt=attempt,
        steps=steps(connection, run) if token > 1 else (),
        event=tuple(event),
        waited_for=_end_wait(connection, run) if state == RunState.WAITING else None,
    )


def steps(connection: apsw.Connection, run: RunId) -> tuple[Step, ...]:
    """Return the steps of a run that are done, in order."""
    return tuple(step_of_row(row) for row in connection.execute(_STEPS, (run,)))


def _end_wait(connection: apsw.Connection, run: RunId) -> tuple[str, str] | None:
    rows: list[Row] = connection.execute(
        "DELETE FROM run_waits WHERE run = ? RETURNING awaits_type, awaits_subject", (run,)
    ).fetchall()
    return (rows[0][0], rows[0][1]) if rows else None


def _hold(connection: apsw.Connection, claim: Claim | Claimed) -> None:
    """Raise ClaimLost unless the claim is the one under which its run is executed."""
    held = connection.execute(
        "SELECT 1 FROM runs WHERE id = ? AND token = ? AND state = 'running'",
        (claim.run, claim.token),
    ).fetchone()
    if held is None:
        raise ClaimLost(f"run {claim.run} is no longer executed under token {claim.token}")


def record_steps(connection: apsw.Connection, *, claim: Claim, steps: Sequence[Step]) -> None:
    """Note steps as done. Those noted before stay: their commit was not heard of."""
    _hold(connection, claim)
    for step in steps:
        _write_step(connection, claim.run, step)


def _write_step(connection: apsw.Connection, run: RunId, step: Step) -> None:
    connection.execute(_WRITE_STEP, row_of_step(run, step))


_END_ATTEMPT = """
INSERT INTO run_attempts (run, token, number, started_at, finished_at, outcome, detail)
SELECT id, token, attempts, started_at, ?, ?, ? FROM runs WHERE id = ?
"""

_LEAVE = """
UPDATE runs SET state = ?, detail = ?, due_at = ?, finished_at = ? WHERE id = ?
"""


def finish(
    connection: apsw.Connection, *, claim: Claim | Claimed, finished: Finished, now: float
) -> None:
    """End the attempt."""
    _hold(connection, claim)
    state, detail = finished.state, finished.detail
    connection.execute(_END_ATTEMPT, (now, state, detail, claim.run))
    ended_at = now if state.ended else None
    connection.execute(_LEAVE, (state, detail, _due_at(finished, now), ended_at, claim.run))
    if state is RunState.WAITING and finished.wait is not None:
        _begin_wait(connection, claim.run, finished.wait, now)
    connection.execute(_OFFER, (claim.lane,))


def _due_at(finished: Finished, now: float) -> float | None:
    if finished.state.ended:
        return None
    if finished.due_at is None and finished.wait is None:
        # It names nothing that would ever make it due, and must not hold its lane for good.
        return now
    return finished.due_at


def _begin_wait(connection: apsw.Connection, run: RunId, wait: Wait, now: float) -> None:
    connection.execute(
        "INSERT INTO run_waits (run, step, name, action, awaits_type, awaits_subject, since) "
        "VALUES (?, ?, ?, ?, ?, ?, ?)",
        (
            run,
            wait.step,
            wait.name,
            wait.action,
            wait.awaits_type,
            wait.awaits_subject,
            now,
        ),
    )


def release(connection: apsw.Connection, *, claim: Claim) -> None:
    """Take back that the attempt was begun."""
    _hold(connection, claim)
    connection.execute(
        "UPDATE runs SET state = 'ready', attempts = attempts - 1 WHERE id = ?", (claim.run,)
    )
    connection.execute(_OFFER, (claim.lane,))


def wake(connection: apsw.Connection, *, awaited: tuple[str, str], result: str, now: float) -> int:
    """Make ready every run that waits for this (type, subject), and return how many did."""
    waits: list[Row] = connection.execute(
        "DELETE FROM run_waits WHERE awaits_type = ? AND awaits_subject = ? "
        "RETURNING run, step, name, action, since",
        awaited,
    ).fetchall()
    for run, number, name, action, since in waits:
        step = Step(
            number=number,
            name=name,
            action=action,
            result=result,
            started_at=since,
            finished_at=now,
        )
        _write_step(connection, run, step)
        lane = connection.execute(
            "UPDATE runs SET state = 'ready', detail = '', due_at = NULL, held_until = NULL "
            "WHERE id = ? RETURNING lane",
            (run,),
        ).fetchall()[0][0]
        connection.execute(_OFFER, (lane,))
    return len(waits)


def recover(connection: apsw.Connection, *, now: float) -> int:
    """End the attempts of a process that is gone, and return how many there were."""
    interrupted = connection.execute(
        "SELECT id, lane, worker FROM runs WHERE state = 'running'"
    ).fetchall()
    for run, lane, worker in interrupted:
        said = f"interrupted: {worker} stopped in the middle of it"
        connection.execute(_END_ATTEMPT, (now, RunState.READY, said, run))
        connection.execute(_LEAVE, (RunState.READY, said, None, None, run))
        connection.execute(_OFFER, (lane,))
    return len(interrupted)


def replay(connection: apsw.Connection, *, run: RunId, again: bool) -> bool:
    """Put an ended run back into its lane, where it is in a state for that."""
    replayable = {RunState.DEAD, RunState.PARKED}
    if again:
        replayable |= {RunState.DONE, RunState.SKIPPED}
    row = connection.execute("SELECT state, lane FROM runs WHERE id = ?", (run,)).fetchone()
    if row is None or row[0] not in replayable:
        return False
    lane = row[1]
    # It may be older than the run that stands for the lane now.
    connection.execute(_WITHDRAW, (lane,))
    connection.execute(_LEAVE, (RunState.READY, "", None, None, run))
    connection.execute("UPDATE runs SET attempts = 0 WHERE id = ?", (run,))
    if again:
        connection.execute("DELETE FROM run_steps WHERE run = ?", (run,))
    connection.execute(_OFFER, (lane,))
    return True
