"""Forgetting the oldest events, so that the log does not grow for ever.

What goes is the log's beginning, up to the first event that is younger or that some consumer group
has not committed: what is left has no gaps, and every position stays good. So a group that nobody
reads for any more keeps everything after its position, until its row in `positions` is deleted.
Where there is no group, nothing goes.

An event is known as a duplicate for as long as it is on the log. After that it is stored again when
it comes again; that it makes no second run is the journal's to see to.

The room is used again for what comes; the file never becomes smaller.
"""

from functools import partial
from itertools import takewhile

import apsw

from hub.bus import dedupe
from hub.bus.rows import Row
from hub.sqlite import Store
from hub.sqlite.forgetting import enough, forget

_OLDEST = """
SELECT
  seq, key, body, received_at,
  coalesce(
    length(data),
    (SELECT sum(length(data)) FROM event_pieces WHERE event_pieces.body = events.body),
    0
  )
FROM events
WHERE seq <= (SELECT min(seq) FROM positions) AND seq < (SELECT max(seq) FROM events)
ORDER BY seq LIMIT ?
"""


async def prune(store: Store, *, received_before: float, limit: int) -> int:
    """Forget up to `limit` events that were received before a time; return how many.

    The newest one stays, for its number is what the next one's is counted from.
    """
    job = partial(_forget, received_before=received_before)
    return await forget(store, job, limit=limit)


def _forget(connection: apsw.Connection, *, received_before: float, most: int) -> int:
    oldest: list[Row] = connection.execute(_OLDEST, (most,)).fetchall()
    rows = list(takewhile(lambda row: row[3] < received_before, oldest))
    rows = rows[: enough(size for *_, size in rows)]
    if not rows:
        return 0
    bodies = ((body,) for _, _, body, _, _ in rows if body is not None)
    connection.executemany("DELETE FROM event_pieces WHERE body = ?", bodies)
    dedupe.forget(connection, [(key, seq) for seq, key, *_ in rows])
    connection.execute("DELETE FROM events WHERE seq <= ?", (rows[-1][0],))
    return len(rows)
