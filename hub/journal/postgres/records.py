"""Records in PostgreSQL: small named values, each changed only by whoever has seen it last."""

from functools import partial

from hub.events.identity import derive_id
from hub.journal.interface import Versioned
from hub.journal.postgres.connecting import Connection
from hub.journal.postgres.store import PostgresStore


class PostgresRecords:
    """See Records."""

    def __init__(self, *, store: PostgresStore) -> None:
        self._store = store

    async def get(self, kind: str, key: str) -> Versioned | None:
        """See Records.get."""
        return await self._store.run(partial(_get, kind=kind, key=key))

    async def put(self, kind: str, key: str, value: str, *, expected: int) -> bool:
        """See Records.put."""
        return await self._store.run(
            partial(_put, kind=kind, key=key, value=value, expected=expected)
        )


def _digest(kind: str, key: str) -> bytes:
    return bytes.fromhex(derive_id(kind, key))


async def _get(connection: Connection, *, kind: str, key: str) -> Versioned | None:
    row = await connection.fetchrow(
        "SELECT value, version FROM records WHERE digest = $1", _digest(kind, key)
    )
    return None if row is None else Versioned(value=row[0], version=row[1])


async def _put(connection: Connection, *, kind: str, key: str, value: str, expected: int) -> bool:
    if expected == 0:
        written = await connection.fetchval(
            "INSERT INTO records (digest, kind, key, value, version) VALUES ($1, $2, $3, $4, 1) "
            "ON CONFLICT (digest) DO NOTHING RETURNING TRUE",
            _digest(kind, key),
            kind,
            key,
            value,
        )
    else:
        written = await connection.fetchval(
            "UPDATE records SET value = $2, version = version + 1 "
            "WHERE digest = $1 AND version = $3 RETURNING TRUE",
            _digest(kind, key),
            value,
            expected,
        )
    return written is not None
