"""Runs that go on because of something from outside: an awaited event, a person's replay."""

from dataclasses import dataclass

from hub.events.envelope import Envelope
from hub.journal.interface import RunId, RunState, Step
from hub.journal.postgres import attempts, lanes
from hub.journal.postgres.connecting import Connection

_WAITING = """
SELECT lane_key FROM run_waits JOIN runs ON id = run
WHERE awaited = $1 AND awaits_type = $2 AND awaits_subject = $3
  AND run_waits.token = runs.token AND state = 'waiting'
"""

_WAKE = """
WITH ended AS (
  DELETE FROM run_waits USING runs
  WHERE awaited = $1 AND awaits_type = $2 AND awaits_subject = $3
    AND id = run AND lane_key = ANY($4::bigint[])
    AND run_waits.token = runs.token AND state = 'waiting'
  RETURNING run, step, run_waits.name, run_waits.action, since
)
UPDATE runs SET state = 'ready', detail = '', due_at = NULL
FROM ended WHERE id = run
RETURNING run, step, name, action, since
"""

_REPLAY = """
UPDATE runs SET
  state = 'ready', detail = '', due_at = NULL, finished_at = NULL, attempts = 0
WHERE id = $1 AND state = ANY($2::text[]) RETURNING TRUE
"""


@dataclass(frozen=True, slots=True, kw_only=True)
class Awaited:
    """An event that runs may wait for, by its type and subject."""

    type: str
    subject: str

    @classmethod
    def of(cls, envelope: Envelope) -> "Awaited | None":
        """Return what a run waits for to get this event; without a subject none can."""
        if envelope.subject is None:
            return None
        return cls(type=envelope.type, subject=envelope.subject)

    @property
    def values(self) -> tuple[int, str, str]:
        """What the statements look for: the short number first, which is what the index has."""
        return lanes.short_digest(self.type, self.subject), self.type, self.subject


async def waiting(connection: Connection, *, awaited: Awaited) -> list[int]:
    """Return the lanes in which a run waits for this."""
    return [row[0] for row in await connection.fetch(_WAITING, *awaited.values)]


async def wake(
    connection: Connection, *, awaited: Awaited, keys: list[int], result: str, now: float
) -> None:
    """Make ready, in a transaction, the runs of these lanes that wait for this."""
    held = await lanes.take(connection, keys)
    woken = await connection.fetch(_WAKE, *awaited.values, list(held))
    steps = [
        (
            RunId(run),
            Step(
                number=number,
                name=name,
                action=action,
                result=result,
                started_at=since,
                finished_at=now,
            ),
        )
        for run, number, name, action, since in woken
    ]
    await attempts.write_steps(connection, steps)
    # Where a replayed run executes before the one that waited, the lane is not free.
    await lanes.offer(connection, [key for key, lane in held.items() if lane.token is None])


async def replay(connection: Connection, *, run: RunId, again: bool) -> bool:
    """Put, in a transaction, an ended run back into its lane, where it is in a state for that."""
    lane = await connection.fetchval("SELECT lane_key FROM runs WHERE id = $1", run)
    if lane is None:
        return False
    await lanes.take_new(connection, [lane])
    replayable = [RunState.DEAD, RunState.PARKED]
    if again:
        replayable += [RunState.DONE, RunState.SKIPPED]
    replayed = await connection.fetchval(_REPLAY, run, replayable) is not None
    if replayed and again:
        await connection.execute("DELETE FROM run_steps WHERE run = $1", run)
    held = await lanes.take(connection, [lane])
    # It may be older than the run that stands for the lane now.
    await lanes.offer(connection, [key for key, at in held.items() if at.token is None])
    return replayed
