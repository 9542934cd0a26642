"""Which events are on the log already, at a cost that does not grow with the log.

An index of random ids is dear to insert into: nearly every event changes a page of its own, and
each of those goes to the disk twice. So the ids of the latest events are kept in memory, in a
temporary table of the writer's connection, and are moved into the index on disk in the order of
the index, a slice per commit: then many of them share a page. What is in memory is found again
from the events themselves after a restart.

An event goes by its key: 23 bits of the first characters of its id, so that one can look for the
beginning of an id, and 40 bits of its source and id. Equal keys prove nothing, so whoever finds
one compares the rest.

Functions of a connection here are jobs for the writer's: see `hub.sqlite.store.Job`.
"""

import hashlib
import json
import zlib
from collections.abc import Sequence

import apsw

PREFIX_CHARACTERS = 8
"""How much of an id one has to know to look for it."""

RECENT_EVENTS = 32_768
"""How many keys gather in memory (20 B each) before they are settled: at a million events six of
them share a page, and after a restart their rows are read again in a tenth of a second."""

SLICE = 512
"""Keys settled per commit: about a millisecond."""

_HEAD_BITS = 23
_BODY_BYTES = 5
_BODY_BITS = 8 * _BODY_BYTES
_LARGEST_KEY = (1 << (_HEAD_BITS + _BODY_BITS)) - 1

SEARCH = """
SELECT seq FROM event_keys WHERE key BETWEEN ?1 AND ?2
UNION
SELECT seq FROM events
WHERE seq > (SELECT seq FROM event_keys_settled) AND key BETWEEN ?1 AND ?2
"""
"""The positions of the keys from ?1 to ?2. It needs nothing of the writer's memory."""

_MEMORY = """
CREATE TEMP TABLE IF NOT EXISTS recent_keys (
  key INTEGER, seq INTEGER, PRIMARY KEY (key, seq)
) WITHOUT ROWID;

CREATE TEMP TABLE IF NOT EXISTS remembered (seq INTEGER);

INSERT INTO remembered SELECT seq FROM event_keys_settled
WHERE NOT EXISTS (SELECT 1 FROM remembered);
"""

_ARE_NEW = """
SELECT (SELECT max(seq) FROM events) IS (SELECT seq FROM temp.remembered)
AND NOT EXISTS (
  SELECT 1 FROM json_each(?1) AS given
  WHERE EXISTS (SELECT 1 FROM temp.recent_keys WHERE key = given.value)
  OR EXISTS (SELECT 1 FROM event_keys WHERE key = given.value)
)
"""

_CATCH_UP = """
INSERT OR IGNORE INTO temp.recent_keys
SELECT key, seq FROM events WHERE seq > (SELECT seq FROM temp.remembered);

UPDATE temp.remembered SET seq = (SELECT max(seq) FROM events)
WHERE EXISTS (SELECT 1 FROM events);
"""

_SETTLE = """
INSERT OR IGNORE INTO event_keys
SELECT key, seq FROM temp.recent_keys WHERE key BETWEEN ?1 AND ?2 ORDER BY key;
"""


def key_of(source: str, event_id: str) -> int:
    """Return the key of an event."""
    name = f"{len(source)} {source}{event_id}".encode()
    body = hashlib.blake2b(name, digest_size=_BODY_BYTES).digest()
    return _head(event_id) << _BODY_BITS | int.from_bytes(body, "big")


def keys_of_prefix(event_id: str) -> tuple[int, int]:
    """Return the least and the greatest key of events whose ids begin like this one."""
    least = _head(event_id) << _BODY_BITS
    return least, least + (1 << _BODY_BITS) - 1


def _head(event_id: str) -> int:
    head = event_id[:PREFIX_CHARACTERS].encode("utf-8", "surrogatepass")
    return zlib.crc32(head) >> (32 - _HEAD_BITS)


def remember(connection: apsw.Connection) -> int:
    """Make the memory, bring it to the log's end, and return how many keys it holds."""
    connection.execute(_MEMORY)
    catch_up(connection)
    return int(connection.execute("SELECT count(*) FROM temp.recent_keys").get)


def catch_up(connection: apsw.Connection) -> None:
    """Bring the memory to the log's end: whoever has inserted events does that."""
    connection.execute(_CATCH_UP)


def are_new(connection: apsw.Connection, keys: Sequence[int]) -> bool:
    """Whether no event has one of these keys.

    Also False where the memory is behind the log, because another process has appended: then
    `catch_up` and ask `known`.
    """
    return bool(connection.execute(_ARE_NEW, (json.dumps(keys),)).get)


def known(connection: apsw.Connection, source: str, event_id: str) -> int | None:
    """Return the position of this event, if it is on the log; the memory must be at its end."""
    found = connection.execute(
        """
        SELECT seq FROM events WHERE id = ?2 AND source = ?3 AND seq IN (
          SELECT seq FROM temp.recent_keys WHERE key = ?1
          UNION ALL
          SELECT seq FROM event_keys WHERE key = ?1
        )
        """,
        (key_of(source, event_id), event_id, source),
    ).get
    return None if found is None else int(found)


def forget(connection: apsw.Connection, keys: Sequence[tuple[int, int]]) -> None:
    """Take (key, position) out of memory and disk: the events go in the same commit."""
    for table in ("temp.recent_keys", "event_keys"):
        statement = f"DELETE FROM {table} WHERE key = ? AND seq = ?"  # noqa: S608  one of two
        connection.executemany(statement, keys)


def remembered(connection: apsw.Connection) -> int:
    """Return up to which position the memory is complete: as far as a pass of `settle` goes."""
    return int(connection.execute("SELECT seq FROM temp.remembered").get)


def settle(connection: apsw.Connection, *, start: int, until: int) -> int | None:
    """Move a slice of keys from memory to disk; return where the next one starts.

    A pass starts at 0 and ends with None. `until` is what `remembered` said at its start:
    what was appended since stays or moves, as it happens, and is in the next pass in any case.
    """
    last = connection.execute(
        "SELECT key FROM temp.recent_keys WHERE key >= ? ORDER BY key LIMIT 1 OFFSET ?",
        (start, SLICE - 1),
    ).get
    end = _LARGEST_KEY if last is None else int(last)
    connection.execute(_SETTLE, (start, end))
    connection.execute("DELETE FROM temp.recent_keys WHERE key BETWEEN ? AND ?", (start, end))
    if end < _LARGEST_KEY:
        return end + 1
    connection.execute("UPDATE event_keys_settled SET seq = ?", (until,))
    return None
