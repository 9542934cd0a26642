"""Starts the processes of a server, and sees to it that none of them outlives the tests."""

import os
import pwd
import select
import signal
import subprocess
from collections.abc import Sequence
from pathlib import Path
from typing import IO

Command = Sequence[str | Path]

_COMMAND_SECONDS = 60
_LAST_SECONDS = 20
"""For what a killed server leaves behind; PostgreSQL's processes notice it by themselves."""

_GUARD = 'read -r _; kill -s KILL -- "-$0"'
"""Reads until the tests are gone, however they went, and takes the server after them."""


class ServerFailedError(Exception):
    """A server, or what prepares it, failed; carries what it said last."""


def run(command: Command, *, user: str | None = None) -> None:
    """Run a command of a server to its end; raises `ServerFailedError`."""
    ended = subprocess.run(
        command,
        user=user,
        group=_group_of(user),
        extra_groups=[] if user else None,
        env=_environment(),
        cwd="/",
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        errors="replace",
        timeout=_COMMAND_SECONDS,
        check=False,
    )
    if ended.returncode != 0:
        raise ServerFailedError(f"{command[0]} failed:\n{ended.stdout}")


class Life:
    """A process and those that it starts, until the last of them has ended."""

    def __init__(self, command: Command, *, user: str | None, log: IO[bytes]) -> None:
        self._last, inherited = os.pipe()  # read to its end when nobody has the other end any more
        self._process = subprocess.Popen(
            command,
            user=user,
            group=_group_of(user),
            extra_groups=[] if user else None,
            env=_environment(),
            cwd="/",
            stdin=subprocess.DEVNULL,
            stdout=log,
            stderr=log,
            pass_fds=[inherited],
            start_new_session=True,
        )
        os.close(inherited)
        self._guard = subprocess.Popen(
            ["sh", "-c", _GUARD, str(self._process.pid)],
            stdin=subprocess.PIPE,
            start_new_session=True,
        )

    def ended(self, *, within_seconds: float = 0) -> bool:
        """Wait for the process to end, and say whether it has."""
        try:
            self._process.wait(within_seconds)
        except subprocess.TimeoutExpired:
            return False
        return True

    def ask(self, number: signal.Signals) -> None:
        """Send the process a signal."""
        self._process.send_signal(number)

    def bury(self) -> None:
        """End it with SIGKILL, and wait until nothing of it is left."""
        self._process.kill()
        self._process.wait()
        select.select([self._last], [], [], _LAST_SECONDS)
        os.close(self._last)
        self._guard.kill()
        self._guard.communicate()


def _environment() -> dict[str, str]:
    """Leave out what would change a server: options for Java, defaults for PostgreSQL."""
    return {"PATH": os.environ["PATH"], "LC_ALL": "C"}


def _group_of(user: str | None) -> int | None:
    return pwd.getpwnam(user).pw_gid if user else None
