"""How connections are opened, and what a file must be like to be opened at all.

A file that is damaged, or no database, is refused as it is: nothing here repairs or recreates.
"""

import os
import time
from pathlib import Path

import apsw

from hub.errors import StorageError

_BUSY_MILLISECONDS = 5_000
"""How long a commit waits for another process's: those are short, so this is ample."""
_WRITER_CACHE_KIB = 32 * 1024
"""Holds what commits keep coming back to, of the indexes of millions of rows."""
_READER_CACHE_KIB = 4 * 1024
"""The kernel caches the file anyway; this is for one query's inner pages."""
_KEPT_LOG_BYTES = 32 * 1024 * 1024
"""What a log that starts over keeps of its file: overwriting is cheaper than growing anew, but a
log that was once far too long gives its room back."""
_FIRST_SOUND_SQLITE = (3, 51, 3)
"""Older ones can corrupt a WAL that two connections checkpoint: https://sqlite.org/wal.html."""
_CHECK_SECONDS = 0.3
"""What opening may spend on looking for damage. A small file is checked whole, a large one as far
as this carries: a restart with a long log must not take minutes."""
_CHECK_STEPS = 10_000
"""SQLite instructions between two looks at the clock."""


def create(path: Path) -> None:
    """Create the file and its folder, for their owner's eyes only, where they are missing."""
    try:
        path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
        os.close(os.open(path, os.O_RDWR | os.O_CREAT, 0o600))
    except OSError as error:
        raise StorageError(f"{path} cannot be created: {error.strerror}") from error


def open_for_writing(path: Path) -> apsw.Connection:
    """Open the file for commits that survive a power cut. Raises StorageError."""
    return _open(path, flags=apsw.SQLITE_OPEN_READWRITE, cache_kib=_WRITER_CACHE_KIB)


def open_for_reading(path: Path) -> apsw.Connection:
    """Open the file for queries. Raises StorageError."""
    return _open(path, flags=apsw.SQLITE_OPEN_READONLY, cache_kib=_READER_CACHE_KIB)


def refuse_damage(path: Path, connection: apsw.Connection) -> None:
    """Raise StorageError where the file is damaged, as far as can be seen in a moment."""
    deadline = time.monotonic() + _CHECK_SECONDS
    connection.set_progress_handler(lambda: time.monotonic() > deadline, _CHECK_STEPS)
    try:
        found = connection.execute("PRAGMA quick_check(1)").get
    except apsw.InterruptError:
        return
    except apsw.Error as error:
        raise StorageError(_damaged(path, str(error))) from error
    finally:
        connection.set_progress_handler(None)
    if found != "ok":
        raise StorageError(_damaged(path, str(found)))


def _open(path: Path, *, flags: int, cache_kib: int) -> apsw.Connection:
    _refuse_unsound_sqlite()
    try:
        connection = apsw.Connection(str(path.absolute()), flags=flags)
        connection.set_busy_timeout(_BUSY_MILLISECONDS)
        mode = connection.pragma("journal_mode", "wal")
        connection.pragma("synchronous", "full")
        connection.pragma("wal_autocheckpoint", 0)
        connection.pragma("journal_size_limit", _KEPT_LOG_BYTES)
        connection.pragma("cache_size", -cache_kib)
        connection.pragma("temp_store", "memory")
        connection.pragma("foreign_keys", 1)
        # Without it, a statement whose plan may depend on a bound value is planned at every call.
        connection.config(apsw.SQLITE_DBCONFIG_ENABLE_QPSG, 1)
    except (apsw.NotADBError, apsw.CorruptError) as error:
        raise StorageError(_damaged(path, str(error))) from error
    except apsw.Error as error:
        raise StorageError(f"{path} cannot be opened: {error}") from error
    if mode != "wal":
        raise StorageError(f"{path} is on a disk that cannot keep a write-ahead log")
    return connection


def _refuse_unsound_sqlite() -> None:
    version = tuple(int(part) for part in apsw.sqlite_lib_version().split("."))
    if version < _FIRST_SOUND_SQLITE:
        raise StorageError(f"SQLite {apsw.sqlite_lib_version()} can corrupt a write-ahead log")


def _damaged(path: Path, found: str) -> str:
    words = " ".join(found.split())
    return f"{path} is damaged or no database ({words}); it was left as it is: restore a backup"
