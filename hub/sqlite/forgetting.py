"""Deletes many rows, a few in a commit, so that nobody else's commit has to wait for long."""

from collections.abc import Iterable
from functools import partial
from typing import Protocol

import apsw

from hub.sqlite.store import Store

ENOUGH_BYTES = 8 * 1024 * 1024
"""What the rows of one commit take in all: to let go of a page, SQLite has to read it."""


class Some(Protocol):
    """A job that deletes the first of the rows that are to go."""

    def __call__(self, connection: apsw.Connection, /, *, most: int) -> int:
        """Delete up to `most` of them, and return how many: 0 where none is left."""
        ...


async def forget(store: Store, some: Some, *, limit: int) -> int:
    """Delete up to `limit` rows, and return how many."""
    forgotten = 0
    while forgotten < limit:
        number = await store.write(partial(some, most=limit - forgotten))
        if not number:
            break
        forgotten += number
    return forgotten


def enough(sizes: Iterable[int]) -> int:
    """Return how many of these rows, by their sizes in bytes, go in one commit: one at least."""
    total = number = 0
    for size in sizes:
        total += size
        number += 1
        if total >= ENOUGH_BYTES:
            break
    return number
