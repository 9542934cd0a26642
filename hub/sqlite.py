"""One SQLite file, one owner, one writer thread.

Everything that arrives while a commit is on its way to the disk goes into the next commit together
(no timer), so durability costs one `fdatasync` for all of it. A job is a function from the writer's
connection to a result; its future is resolved only after the commit that carries it.

WAL and `synchronous=FULL`: https://sqlite.org/wal.html, https://sqlite.org/pragma.html#pragma_synchronous.
"""

from collections.abc import Callable
from pathlib import Path
from typing import Protocol, TypeVar

import apsw

T = TypeVar("T")
Job = Callable[[apsw.Connection], T]


class Store(Protocol):
    """What the log and the journal need of their file."""

    async def write(self, job: Job[T]) -> T:
        """Run `job` in the next commit, and return once that commit is on disk.

        A job that raises is rolled back alone and its exception is raised here; a commit that
        fails raises StorageError for every job in it.
        """
        ...

    async def read(self, query: Job[T]) -> T:
        """Run `query` on a connection that only reads, off the event loop.

        It sees every commit that was acknowledged before. No transaction outlives the call.
        """
        ...

    @property
    def path(self) -> Path:
        """The file."""
        ...
