"""One process owns the file. Who it is stands beside it, in `<file>.owner`.

The lock is the kernel's (`flock`), so it ends with its process however that ends; what is written
in the file only names the holder. It needs a local disk, and so does SQLite's WAL.
"""

import fcntl
import os
import socket
from datetime import UTC, datetime
from pathlib import Path
from typing import Self, TextIO

from hub.errors import StorageError, StorageOwned

_FLAGS = os.O_RDWR | os.O_CREAT | os.O_NOFOLLOW
_LONGEST_NAME = 500
"""Characters read of a holder's name: more than one needs, and an end to a file that is not one."""


class Ownership:
    """The lock, held until `release`."""

    def __init__(self, held: TextIO) -> None:
        self._held = held

    @classmethod
    def take(cls, path: Path) -> Self:
        """Own the database file at `path`. Raises StorageOwned, naming the holder."""
        beside = path.with_name(path.name + ".owner")
        try:
            held = os.fdopen(
                os.open(beside, _FLAGS, 0o600), "r+", encoding="utf-8", errors="replace"
            )
        except OSError as error:
            raise StorageError(f"{beside} cannot be opened: {error.strerror}") from error
        try:
            fcntl.flock(held, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError as error:
            with held:
                holder = held.read(_LONGEST_NAME).strip() or "another process"
            raise StorageOwned(f"{path} is owned by {holder}") from error
        held.truncate(0)
        held.write(_name_of_this_process())
        held.flush()
        return cls(held)

    def release(self) -> None:
        """Let others own it. The file stays: removing it would race with the next owner."""
        with self._held:
            self._held.truncate(0)


def _name_of_this_process() -> str:
    now = datetime.now(UTC).isoformat(timespec="seconds")
    return f"process {os.getpid()} on {socket.gethostname()} since {now}\n"
