"""What the log and the journal need of their file."""

from abc import ABC, abstractmethod
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Generic, Protocol, Self, TypeVar

import apsw

T = TypeVar("T")
Job = Callable[[apsw.Connection], T]
"""What is done with a connection, on the thread that owns it. It starts and ends no transaction,
and no cursor leaves it. It may be undone and run again, so it changes nothing but the file."""


class Joint(ABC, Generic[T]):
    """A job that is done together with the others of its class in the same commit.

    One statement for many rows takes the interpreter once. A statement for each would wait for it
    as often, beside an event loop that is busy.
    """

    @abstractmethod
    def __call__(self, connection: apsw.Connection) -> T:
        """Do it alone."""

    @abstractmethod
    def together(self, jobs: Sequence[Self], connection: apsw.Connection) -> Sequence[T]:
        """Do all of them, this one included; return each one's result.

        Where one of them raises, all are undone and each is done alone.
        """


class Store(Protocol):
    """One SQLite file."""

    async def write(self, job: Job[T], *, size: int = 0) -> T:
        """Run `job` in the next commit, and return once that commit is on disk.

        `size` is how many bytes the job holds in memory while it waits.
        A job that raises is rolled back alone and its exception is raised here; a commit that
        fails raises StorageError for every job in it. So does a queue that is full: then the job
        was never run. A caller that is cancelled does not call its job back.
        """
        ...

    async def read(self, query: Job[T]) -> T:
        """Run `query` on a connection that only reads, off the event loop.

        It sees one state of the file, with every commit that was acknowledged before. No
        transaction outlives the call. Raises StorageError.
        """
        ...

    async def migrate(self, component: str, migrations: Sequence[str]) -> None:
        """Bring the tables of `component` to version `len(migrations)`.

        Each migration is SQL and is applied once, all of them in one commit. Only the owner
        changes the file; anybody else finds it at the right version or is refused. Raises
        StorageError where the file is of a newer version.
        """
        ...

    @property
    def path(self) -> Path:
        """The file."""
        ...

    @property
    def owned(self) -> bool:
        """Whether this process owns the file, or merely visits it."""
        ...
