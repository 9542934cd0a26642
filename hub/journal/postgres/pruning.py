"""Forgetting what has ended: the runs first, and much later that they ever were."""

from functools import partial

from hub.journal.postgres.connecting import Connection
from hub.journal.postgres.store import PostgresStore

_LOCK = 2_814_377_205_861_450_033
"""An advisory lock's number, drawn once at random: one process at a time forgets."""

_MOST_KEYS = 5_000
"""In one transaction."""

_FORGET_RUNS = """
WITH forgotten AS (
  DELETE FROM runs WHERE id IN (
    SELECT id FROM runs WHERE finished_at < $1 AND finished_at IS NOT NULL AND NOT letter
    ORDER BY finished_at LIMIT $2 FOR UPDATE SKIP LOCKED
  )
  RETURNING id, event, handler, finished_at
), steps AS (
  DELETE FROM run_steps USING forgotten WHERE run = forgotten.id
), attempts AS (
  DELETE FROM run_attempts USING forgotten WHERE run = forgotten.id
), keys AS (
  UPDATE run_keys SET ended_at = forgotten.finished_at
  FROM forgotten JOIN run_events ON run_events.id = forgotten.event
  WHERE run_keys.digest = run_events.digest AND run_keys.handler = forgotten.handler
)
SELECT event FROM forgotten
"""

_FORGET_EVENTS = """
DELETE FROM run_events WHERE id = ANY($1::bigint[])
  AND NOT EXISTS (SELECT FROM runs WHERE event = run_events.id)
"""

_FORGET_KEYS = """
DELETE FROM run_keys WHERE (digest, handler) IN (
  SELECT digest, handler FROM run_keys WHERE ended_at < $1 ORDER BY ended_at LIMIT $2
  FOR UPDATE SKIP LOCKED
)
RETURNING TRUE
"""

_COUNT_FOR_THE_GONE = """
WITH past AS (
  DELETE FROM run_counts
  WHERE backend <> 0 AND backend NOT IN (SELECT pid FROM pg_stat_activity)
  RETURNING state, runs
)
INSERT INTO run_counts
SELECT 0, state, sum(runs) FROM past GROUP BY state ORDER BY state
ON CONFLICT (backend, state) DO UPDATE SET runs = run_counts.runs + excluded.runs
"""


async def prune(store: PostgresStore, *, runs_before: float, keys_before: float, limit: int) -> int:
    """Forget up to `limit` runs, and all keys that are old enough; return how many runs.

    None where another process is at it.
    """
    forgotten = await store.transact(partial(_forget_runs, before=runs_before, limit=limit))
    while await store.transact(partial(_forget_keys, before=keys_before)) == _MOST_KEYS:
        pass
    await store.transact(_count_for_the_gone)
    return forgotten


async def _forget_runs(connection: Connection, *, before: float, limit: int) -> int:
    if not await connection.fetchval("SELECT pg_try_advisory_xact_lock($1)", _LOCK):
        return 0
    events = [row[0] for row in await connection.fetch(_FORGET_RUNS, before, limit)]
    await connection.execute(_FORGET_EVENTS, events)
    return len(events)


async def _forget_keys(connection: Connection, *, before: float) -> int:
    return len(await connection.fetch(_FORGET_KEYS, before, _MOST_KEYS))


async def _count_for_the_gone(connection: Connection) -> None:
    await connection.execute(_COUNT_FOR_THE_GONE)
