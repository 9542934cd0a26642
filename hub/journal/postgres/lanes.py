"""The lanes: who may change one, and what it has to offer next.

Whoever changes the runs of a lane holds the lane's row until the commit, and takes the rows of
several lanes in the order of their keys, so that no two wait for each other. A lane whose runs have
all ended has no row. Before the commit a lane that was changed must `offer` its first unfinished
run: it stands in the line (`turn`) where it may start now, and is held (`held_until`) where it is
due later.
"""

from collections.abc import Collection, Iterable
from dataclasses import dataclass

from hub.events.identity import derive_id
from hub.journal.interface import RunId
from hub.journal.postgres.connecting import Connection

_TAKE_NEW = """
INSERT INTO lanes (key) SELECT key FROM unnest($1::bigint[]) AS key ORDER BY key
ON CONFLICT (key) DO UPDATE SET key = excluded.key WHERE FALSE
RETURNING key
"""  # the row that is there is held, and not written

_TAKE = """
SELECT key, run, token FROM lanes WHERE key = ANY($1::bigint[]) ORDER BY key FOR UPDATE
"""


@dataclass(frozen=True, slots=True, kw_only=True)
class Executing:
    """The run that a lane is at, and its token; None where it is not executed."""

    run: RunId
    token: int | None


def key_of(lane: str) -> int:
    """Return the number that stands for a lane.

    Two lanes that had the same one would take turns, and lose nothing else by it.
    """
    return short_digest(lane)


def short_digest(*parts: str) -> int:
    """Return 64 bits that stand for these parts, as PostgreSQL's bigint."""
    return int.from_bytes(bytes.fromhex(derive_id(*parts))[:8], "big", signed=True)


async def take_new(connection: Connection, keys: Iterable[int]) -> list[int]:
    """Hold these lanes, and return those that had nothing unfinished: they are to be offered."""
    return [row[0] for row in await connection.fetch(_TAKE_NEW, sorted(set(keys)))]


async def take(connection: Connection, keys: Iterable[int]) -> dict[int, Executing]:
    """Hold those of these lanes that have something unfinished, and say what they are at."""
    rows = await connection.fetch(_TAKE, sorted(set(keys)))
    return {key: Executing(run=run, token=token) for key, run, token in rows}


async def offer(connection: Connection, keys: Collection[int]) -> None:
    """Let these lanes, which are held and in which nothing executes, offer what comes next."""
    if keys:
        await connection.execute("SELECT offer_lanes($1)", list(keys))
