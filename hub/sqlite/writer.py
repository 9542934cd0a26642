"""The writer thread: whatever has arrived becomes one commit, then everybody is told at once."""

import asyncio
import errno
import threading
from collections import defaultdict, deque
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass
from queue import Empty, SimpleQueue
from typing import Any, TypeVar

import apsw

from hub.errors import StorageError
from hub.sqlite.store import Job, Joint

T = TypeVar("T")

MAX_WAITING_JOBS = 10_000
"""Far more than the requests a process holds open; beyond it the disk is the matter."""
MAX_WAITING_BYTES = 256 * 1024 * 1024
"""Ten of the largest bodies there are (25 MiB), so that memory stays flat on a stuck disk."""
_MAX_GROUP_JOBS = 1_000
"""The first job of a commit waits for the last, so a burst is cut into several commits."""
_MAX_GROUP_BYTES = 8 * 1024 * 1024
"""The same, for jobs that are few and large."""

_FAULTS = (
    apsw.FullError, apsw.IOError, apsw.CorruptError, apsw.NotADBError, apsw.BusyError,
    apsw.ReadOnlyError, apsw.CantOpenError, apsw.NoMemError, apsw.ProtocolError, apsw.LockedError,
)  # fmt: skip
"""What is the file's fault and not the job's: it fails the whole commit."""
_OUT_OF_ROOM = {errno.ENOSPC, errno.EDQUOT, errno.EFBIG}
"""The kernel refused to take the bytes; it lost none that it had taken."""


@dataclass(slots=True)
class _Ticket:
    """A job on its way, and then what came of it: the one object per job on the way to the disk."""

    job: Job[Any]
    future: asyncio.Future[Any]
    size: int
    result: Any = None
    error: Exception | None = None


class Writer:
    """Owns the connection that writes, and the thread that uses it.

    `submit` and `close` belong to the event loop that made the writer.
    """

    def __init__(self, *, connection: apsw.Connection) -> None:
        self._connection = connection
        self._loop = asyncio.get_running_loop()
        self._arrived: list[_Ticket] = []
        self._queue: SimpleQueue[_Ticket | None] = SimpleQueue()
        self._errands: deque[Job[None]] = deque()
        self._waiting_jobs = 0
        self._waiting_bytes = 0
        self._closed = False
        self._lost: apsw.Error | None = None
        # A daemon: a process whose loop died with the file still open must be able to exit.
        self._thread = threading.Thread(target=self._run, name="sqlite-writer", daemon=True)
        self._thread.start()

    @property
    def lost(self) -> bool:
        """Whether a failure has ended all writing: nothing is acknowledged any more."""
        return self._lost is not None

    async def submit(self, job: Job[T], *, size: int) -> T:
        """Run the job in the next commit; see Store.write."""
        if self._closed:
            raise StorageError("the file is closed")
        if self._waiting_jobs >= MAX_WAITING_JOBS or self._waiting_bytes + size > MAX_WAITING_BYTES:
            raise StorageError("busy: the disk does not keep up with what is to be written")
        future: asyncio.Future[T] = self._loop.create_future()
        self._waiting_jobs += 1
        self._waiting_bytes += size
        if not self._arrived:
            self._loop.call_soon(self._hand_over)
        self._arrived.append(_Ticket(job, future, size))
        return await future

    def between_commits(self, errand: Job[None]) -> None:
        """Run `errand` with the writer's connection while no transaction is open. Thread-safe."""
        self._errands.append(errand)
        self._queue.put(None)

    async def close(self) -> None:
        """Commit what waits, end the thread and close the connection."""
        self._closed = True
        self._hand_over()
        self._queue.put(None)
        await asyncio.to_thread(self._thread.join)

    def _hand_over(self) -> None:
        """Give the thread what came in one turn of the loop: it would commit the first alone."""
        for ticket in self._arrived:
            self._queue.put(ticket)
        self._arrived.clear()

    def _run(self) -> None:
        while not (self._closed and self._queue.empty()):
            if group := self._take():
                self._commit(group)
                # A loop that was closed has nobody left who could be told.
                with suppress(RuntimeError):
                    self._loop.call_soon_threadsafe(self._tell, group)
            while self._errands:
                self._errands.popleft()(self._connection)
        self._connection.close()

    def _take(self) -> list[_Ticket]:
        """Wait until something is there, and take whatever else is."""
        group: list[_Ticket] = []
        size = 0
        item = self._queue.get()
        while True:
            if item is not None:
                group.append(item)
                size += item.size
            if len(group) >= _MAX_GROUP_JOBS or size >= _MAX_GROUP_BYTES:
                return group
            try:
                item = self._queue.get_nowait()
            except Empty:
                return group

    def _commit(self, group: Sequence[_Ticket]) -> None:
        if self._lost is not None:
            _fail(group, self._lost, "the disk failed before, the process must start again")
            return
        try:
            if not self._write_at_once(group):
                self._write_one_by_one(group)
        except apsw.Error as error:
            self._undo(error)
            _fail(group, error, "nothing was written")

    def _write_at_once(self, group: Sequence[_Ticket]) -> bool:
        """Commit all the jobs, or nothing and return False where one of them has failed.

        Failures are rare, and without them no job needs a savepoint of its own.
        """
        connection = self._connection
        connection.execute("BEGIN IMMEDIATE")
        try:
            for ticket in _lone(group):
                ticket.result = ticket.job(connection)
            _run_together(group, connection)
        except _FAULTS:
            raise
        except Exception:  # noqa: BLE001  the job fails again, and then alone
            connection.execute("ROLLBACK")
            return False
        connection.execute("COMMIT")
        return True

    def _write_one_by_one(self, group: Sequence[_Ticket]) -> None:
        self._connection.execute("BEGIN IMMEDIATE")
        for ticket in group:
            self._attempt(ticket)
        self._connection.execute("COMMIT")

    def _attempt(self, ticket: _Ticket) -> None:
        """Run one job so that it can fail alone."""
        connection = self._connection
        connection.execute("SAVEPOINT job")
        try:
            ticket.result = ticket.job(connection)
        except _FAULTS:
            raise
        except Exception as error:  # noqa: BLE001  whatever a job raises is its caller's
            connection.execute("ROLLBACK TO job")
            ticket.error = error
            if isinstance(error, apsw.Error):
                _fail([ticket], error, "nothing was written")
        connection.execute("RELEASE job")

    def _undo(self, error: apsw.Error) -> None:
        """Undo the commit that failed, and decide whether there may be another.

        After a failed write or fsync the kernel may call pages clean that never reached the disk,
        and a later fsync then succeeds without them (https://lwn.net/Articles/752063/). So this
        process acknowledges nothing any more: a disk that lies once is for whoever runs the hub to
        judge. Having no room is different: those bytes were refused, not lost, and the next commit
        writes them anew.
        """
        if isinstance(error, apsw.IOError) and self._connection.system_errno not in _OUT_OF_ROOM:
            self._lost = error
        try:
            if self._connection.in_transaction:
                self._connection.execute("ROLLBACK")
        except apsw.Error as worse:
            self._lost = worse

    def _tell(self, group: Sequence[_Ticket]) -> None:
        for ticket in group:
            self._waiting_jobs -= 1
            self._waiting_bytes -= ticket.size
            if ticket.future.done():
                continue
            if ticket.error is None:
                ticket.future.set_result(ticket.result)
            else:
                ticket.future.set_exception(ticket.error)


def _lone(group: Sequence[_Ticket]) -> list[_Ticket]:
    return [ticket for ticket in group if not isinstance(ticket.job, Joint)]


def _run_together(group: Sequence[_Ticket], connection: apsw.Connection) -> None:
    """Run the joint jobs, those of a class in one go."""
    by_class: defaultdict[type, list[tuple[_Ticket, Joint[Any]]]] = defaultdict(list)
    for ticket in group:
        if isinstance(ticket.job, Joint):
            by_class[type(ticket.job)].append((ticket, ticket.job))
    for alike in by_class.values():
        first = alike[0][1]
        results = first.together([job for _, job in alike], connection)
        for (ticket, _), result in zip(alike, results, strict=True):
            ticket.result = result


def _fail(group: Sequence[_Ticket], error: apsw.Error, words: str) -> None:
    for ticket in group:
        ticket.error = StorageError(f"{words}: {error}")
        ticket.error.__cause__ = error
