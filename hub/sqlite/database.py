"""`Database`: the Store on a file of this machine."""

import asyncio
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Self, TypeVar

import apsw
import structlog

from hub.errors import StorageError
from hub.sqlite import migration, opening
from hub.sqlite.checkpoints import Checkpoints
from hub.sqlite.ownership import Ownership
from hub.sqlite.reader import Reader
from hub.sqlite.store import Job
from hub.sqlite.writer import Writer

T = TypeVar("T")


def log_growth(log_bytes: int) -> None:
    """Say that the write-ahead log grows because some reader does not leave it."""
    structlog.get_logger().error("write_ahead_log_grows", bytes=log_bytes)


class Database:
    """One SQLite file, open. `own` and `visit` make it, `close` ends it."""

    def __init__(
        self,
        *,
        path: Path,
        writer: Writer,
        reader: Reader,
        checkpoints: Checkpoints | None,
        ownership: Ownership | None,
    ) -> None:
        self._path = path
        self._writer = writer
        self._reader = reader
        self._checkpoints = checkpoints
        self._ownership = ownership

    @classmethod
    async def own(cls, path: Path, *, alarm: Callable[[int], None] = log_growth) -> Self:
        """Open the file as its one owner, creating it and its folder where they are missing.

        `alarm` is called on another thread, with the size in bytes of a write-ahead log that
        cannot be shortened. Raises StorageOwned where another process owns the file, and
        StorageError where it is damaged.
        """
        ownership, writing, checkpointing = await asyncio.to_thread(_open_owned, path)
        writer = Writer(connection=writing)
        return cls(
            path=path,
            writer=writer,
            reader=Reader(path=path),
            checkpoints=Checkpoints(connection=checkpointing, writer=writer, alarm=alarm),
            ownership=ownership,
        )

    @classmethod
    async def visit(cls, path: Path) -> Self:
        """Open a file that is there, beside its owner if there is one.

        Its writes are single short transactions that wait for the owner's. Raises StorageError
        where the file is missing or damaged.
        """
        writing = await asyncio.to_thread(_open_visited, path)
        return cls(
            path=path,
            writer=Writer(connection=writing),
            reader=Reader(path=path),
            checkpoints=None,
            ownership=None,
        )

    async def write(self, job: Job[T], *, size: int = 0) -> T:
        """See Store.write."""
        return await self._writer.submit(job, size=size)

    async def read(self, query: Job[T]) -> T:
        """See Store.read."""
        return await self._reader.run(query)

    async def migrate(self, component: str, migrations: Sequence[str]) -> None:
        """See Store.migrate."""
        if self.owned:
            await self.write(lambda file: migration.migrate(file, component, migrations))
        else:
            await self.read(lambda file: migration.expect(file, component, migrations))

    async def close(self) -> None:
        """Finish what was submitted, and let the file go."""
        await self._reader.close()
        if self._checkpoints is not None:
            await asyncio.to_thread(self._checkpoints.close)
        await self._writer.close()
        if self._ownership is not None:
            self._ownership.release()
            self._ownership = None

    @property
    def path(self) -> Path:
        """The file."""
        return self._path

    @property
    def lost(self) -> bool:
        """Whether the disk has failed, so that only another process can write the file again."""
        return self._writer.lost

    @property
    def owned(self) -> bool:
        """Whether this process owns the file."""
        return self._ownership is not None


def _open_owned(path: Path) -> tuple[Ownership, apsw.Connection, apsw.Connection]:
    opening.create(path)
    # Behind every link: one file must not have two owners by two names.
    ownership = Ownership.take(path.resolve())
    try:
        writing = opening.open_for_writing(path)
        opening.refuse_damage(path, writing)
        return ownership, writing, opening.open_for_writing(path)
    except StorageError:
        ownership.release()
        raise


def _open_visited(path: Path) -> apsw.Connection:
    if not path.is_file():
        raise StorageError(f"{path} does not exist")
    return opening.open_for_writing(path)
