"""The queries of the log. None of them needs more memory than a few large bodies take."""

from collections.abc import Callable, Sequence

import apsw

from hub.bus import dedupe
from hub.bus.interface import Record
from hub.bus.rows import SELECT, Row, id_of, record_of
from hub.sqlite import Store

ENOUGH_BYTES = 32 * 1024 * 1024
"""A query ends early once its bodies take this much, but never without an event."""

ENOUGH_FOUND = 100
"""Events that the beginning of an id may find: more tell nobody which one was meant."""

_AFTER = f"{SELECT} WHERE seq > ? ORDER BY seq"
_AT = f"{SELECT} WHERE seq = ?"
_LATEST = f"{SELECT} ORDER BY seq DESC"
_WITH_KEYS = f"{SELECT} WHERE seq IN ({dedupe.SEARCH}) ORDER BY seq"
_LAG = """
SELECT coalesce((SELECT max(seq) FROM events), 0)
- coalesce(
    (SELECT seq FROM positions WHERE consumers = ?), (SELECT min(seq) - 1 FROM events), 0
  )
"""


class Reading:
    """Reads events; all of it off the event loop."""

    def __init__(self, *, store: Store) -> None:
        self._store = store

    async def after(self, seq: int, limit: int) -> Sequence[Record]:
        """Return up to `limit` events after this one, in order."""
        return await self._store.read(lambda file: _records(file, _AFTER, (seq,), limit))

    async def at(self, seq: int) -> Record | None:
        """Return this event; None where it has been forgotten."""
        found = await self._store.read(lambda file: _records(file, _AT, (seq,), 1))
        return found[0] if found else None

    async def latest(self, limit: int) -> Sequence[Record]:
        """Return up to `limit` of the last events, oldest first."""
        return await self._store.read(lambda file: _records(file, _LATEST, (), limit)[::-1])

    async def named(self, event_id: str) -> Sequence[Record]:
        """Return events whose id is this one or, from 8 characters on, begins with it."""
        keys = dedupe.keys_of_prefix(event_id)
        long_enough = len(event_id) >= dedupe.PREFIX_CHARACTERS

        def meant(row: Row) -> bool:
            found = id_of(row)
            return found == event_id or (long_enough and found.startswith(event_id))

        return await self._store.read(
            lambda file: _records(file, _WITH_KEYS, keys, ENOUGH_FOUND, meant=meant)
        )

    async def lag(self, group: str) -> int:
        """Return how many events the group has not committed."""
        return await self._store.read(lambda file: int(file.execute(_LAG, (group,)).get))

    async def committed(self, group: str) -> int:
        """Return the last event that the group has committed; 0 is before the first."""
        query = "SELECT seq FROM positions WHERE consumers = ?"
        return await self._store.read(lambda file: int(file.execute(query, (group,)).get or 0))


def _records(
    file: apsw.Connection,
    sql: str,
    values: Sequence[int],
    limit: int,
    *,
    meant: Callable[[Row], bool] = lambda _: True,
) -> list[Record]:
    records: list[Record] = []
    size = 0
    for row in file.execute(sql, values):
        if size >= ENOUGH_BYTES or len(records) >= limit:
            break
        if meant(row):
            record = record_of(file, row)
            records.append(record)
            size += len(record.envelope.data)
    return records
