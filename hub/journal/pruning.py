"""Forgetting runs that went well, in SQLite, so that the journal does not grow for ever.

A run goes with its steps and attempts, and the copy of its event with the last run of it. What
stays is its key, in `run_keys`, for as long as the event may come again. A slice is one commit:
after a crash a run is there as a whole, or is its key.

The room is used again for what comes; the file never becomes smaller.
"""

from collections.abc import Sequence
from functools import partial
from itertools import takewhile

import apsw

from hub.journal.rows import Row
from hub.sqlite import Store
from hub.sqlite.forgetting import enough, forget

_ENDED_BEFORE = """
SELECT runs.id, event, length(data)
FROM runs JOIN run_events ON run_events.id = runs.event
WHERE state IN ('done', 'skipped') AND finished_at < ? AND runs.id < (SELECT max(id) FROM runs)
ORDER BY finished_at, runs.id LIMIT ?
"""

_KEEP_KEY = """
INSERT INTO run_keys (digest, handler, finished_at)
SELECT digest, handler, finished_at FROM runs JOIN run_events ON run_events.id = runs.event
WHERE runs.id = ?
"""

_FORGET_RUN = (
    "DELETE FROM run_steps WHERE run = ?",
    "DELETE FROM run_attempts WHERE run = ?",
    "DELETE FROM runs WHERE id = ?",
)

_FORGET_EVENT = """
DELETE FROM run_events WHERE id = ?1 AND NOT EXISTS (SELECT 1 FROM runs WHERE event = ?1)
"""

_OLDEST_KEYS = "SELECT id, finished_at FROM run_keys ORDER BY id LIMIT ?"

_KEYS_OF_EVENT = "SELECT digest, handler FROM run_keys WHERE digest = ?"


async def prune(store: Store, *, runs_before: float, keys_before: float, limit: int) -> int:
    """Forget up to `limit` runs, and all keys that are old enough; return how many runs.

    No commit has more than `limit` of either. The newest run stays, for its number is what the
    next one's is counted from.
    """
    forgotten = await forget(store, partial(_forget_runs, ended_before=runs_before), limit=limit)
    while await store.write(partial(_forget_keys, ended_before=keys_before, limit=limit)):
        pass
    return forgotten


def unforgotten(
    connection: apsw.Connection, *, events: Sequence[Row], runs: Sequence[Row]
) -> tuple[Sequence[Row], Sequence[Row]]:
    """Return what is to be planned of these rows: what has no key. Events without runs go too.

    Rows of events begin with the digest, rows of runs with the digest and the handler.
    """
    digests = ((event[0],) for event in events)
    forgotten = set(connection.executemany(_KEYS_OF_EVENT, digests))
    if not forgotten:
        return events, runs
    left = [run for run in runs if run[:2] not in forgotten]
    planned = {run[0] for run in left}
    return [event for event in events if event[0] in planned], left


def _forget_runs(connection: apsw.Connection, *, ended_before: float, most: int) -> int:
    rows: list[Row] = connection.execute(_ENDED_BEFORE, (ended_before, most)).fetchall()
    rows = rows[: enough(size for _, _, size in rows)]
    for statement in (_KEEP_KEY, *_FORGET_RUN):
        connection.executemany(statement, ((run,) for run, _, _ in rows))
    connection.executemany(_FORGET_EVENT, {(event,) for _, event, _ in rows})
    return len(rows)


def _forget_keys(connection: apsw.Connection, *, ended_before: float, limit: int) -> int:
    oldest = connection.execute(_OLDEST_KEYS, (limit,))
    old = [key for key, _ in takewhile(lambda row: row[1] < ended_before, oldest)]
    if old:
        connection.execute("DELETE FROM run_keys WHERE id <= ?", (old[-1],))
    return len(old)
