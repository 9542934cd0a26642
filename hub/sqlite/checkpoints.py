"""Moves what was committed from the write-ahead log into the file, and keeps the log short.

A checkpoint has two steps. The bulk is copied beside the writer, which goes on committing. The few
frames that arrived meanwhile are copied by the writer itself, between two commits: only when
nothing is left to copy can the log start over, and under load that moment never comes by itself.
See https://sqlite.org/wal.html#ckpt.

A reader that stays in one old state of the file stops both. That cannot be mended from here when
it is another process, so it is said aloud.
"""

import sys
import threading
from collections.abc import Callable

import apsw

from hub.sqlite.writer import Writer

CHECKPOINT_BYTES = 16 * 1024 * 1024
"""How far the log grows before a checkpoint. Beside checkpoints of this size the slowest commits
took a quarter of what they took beside SQLite's own, which the writer does within a commit."""
ALARM_BYTES = 64 * 1024 * 1024
"""Where checkpoints plainly fail: one waits for readers now, and whoever runs the hub is told."""
_PATIENCE_MILLISECONDS = 100
"""How long the forced checkpoint holds up commits while it waits for readers to leave."""


class Checkpoints:
    """Owns the thread that copies. `alarm` is told the log's size in bytes, on that thread."""

    def __init__(
        self, *, connection: apsw.Connection, writer: Writer, alarm: Callable[[int], None]
    ) -> None:
        self._connection = connection
        self._connection.set_busy_timeout(_PATIENCE_MILLISECONDS)
        self._writer = writer
        self._alarm = alarm
        self._page_bytes: int = connection.pragma("page_size")
        self._log_bytes = 0
        self._next_at = CHECKPOINT_BYTES
        self._due = threading.Event()
        self._closed = False
        self._thread = threading.Thread(target=self._run, name="sqlite-checkpoints", daemon=True)
        self._thread.start()
        writer.between_commits(self._listen)

    def close(self) -> None:
        """End the thread and close its connection. Blocks for as long as a checkpoint takes."""
        self._closed = True
        self._due.set()
        self._thread.join()

    def _listen(self, connection: apsw.Connection) -> None:
        connection.set_wal_hook(self._note)

    def _note(self, _connection: apsw.Connection, _database: str, pages: int) -> int:
        self._log_bytes = pages * self._page_bytes
        if self._log_bytes >= self._next_at:
            self._due.set()
        return apsw.SQLITE_OK

    def _run(self) -> None:
        while True:
            self._due.wait()
            self._due.clear()
            if self._closed:
                break
            self._next_at = sys.maxsize
            self._next_at = self._checkpoint()
        self._connection.close()

    def _checkpoint(self) -> int:
        """Copy, and return how many bytes of log the next one waits for."""
        _copy(self._connection, apsw.SQLITE_CHECKPOINT_PASSIVE)
        rest: list[bool] = []
        finished = threading.Event()

        def finish(connection: apsw.Connection) -> None:
            rest.append(_copy(connection, apsw.SQLITE_CHECKPOINT_PASSIVE))
            finished.set()

        self._writer.between_commits(finish)
        finished.wait()
        if rest == [True] or self._forced():
            return CHECKPOINT_BYTES
        return self._log_bytes + CHECKPOINT_BYTES

    def _forced(self) -> bool:
        """Make readers leave the log once it is far too long, and say so where they do not."""
        if self._log_bytes < ALARM_BYTES:
            return False
        if _copy(self._connection, apsw.SQLITE_CHECKPOINT_RESTART):
            return True
        self._alarm(self._log_bytes)
        return False


def _copy(connection: apsw.Connection, mode: int) -> bool:
    """Copy what can be copied, and return whether that was all.

    No error is one here: the log still has everything, and the next commit meets the same disk.
    """
    try:
        frames, copied = connection.wal_checkpoint(mode=mode)
    except apsw.Error:
        return False
    return frames == copied
