"""Records in a SQLite file: small named values, each changed only by whoever has seen it last."""

from functools import partial

import apsw

from hub.journal.interface import Versioned
from hub.sqlite import Store


class SqliteRecords:
    """See Records. `store` must have been migrated with `hub.journal.schema.MIGRATIONS`."""

    def __init__(self, *, store: Store) -> None:
        self._store = store

    async def get(self, kind: str, key: str) -> Versioned | None:
        """See Records.get."""
        return await self._store.read(partial(_get, kind=kind, key=key))

    async def put(self, kind: str, key: str, value: str, *, expected: int) -> bool:
        """See Records.put."""
        job = partial(_put, kind=kind, key=key, value=value, expected=expected)
        return await self._store.write(job, size=len(value))


def _get(connection: apsw.Connection, *, kind: str, key: str) -> Versioned | None:
    row = connection.execute(
        "SELECT value, version FROM records WHERE kind = ? AND key = ?", (kind, key)
    ).fetchone()
    return None if row is None else Versioned(value=row[0], version=row[1])


def _put(connection: apsw.Connection, *, kind: str, key: str, value: str, expected: int) -> bool:
    if expected == 0:
        connection.execute(
            "INSERT INTO records (kind, key, value, version) VALUES (?, ?, ?, 1) "
            "ON CONFLICT (kind, key) DO NOTHING",
            (kind, key, value),
        )
    else:
        connection.execute(
            "UPDATE records SET value = ?, version = version + 1 "
            "WHERE kind = ? AND key = ? AND version = ?",
            (value, kind, key, expected),
        )
    return connection.changes() == 1
