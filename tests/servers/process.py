"""A server that is stopped, killed, frozen and started again, always at the same port."""

import signal
import socket
import time
from collections.abc import Callable
from pathlib import Path

from .life import Command, Life, ServerFailedError

HOST = "127.0.0.1"

_START_SECONDS = 60.0
"""Then a server does not come up, whatever the machine is busy with."""

_STOP_SECONDS = 20.0
_LOOK_SECONDS = 0.02
_TAIL_LINES = 40


class HeldPort:
    """A port that the system has chosen, held while the server that listens on it is dead.

    Otherwise it could be given to an outgoing connection, even one to itself.
    """

    def __init__(self) -> None:
        self._place = socket.socket()
        self._place.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        self._place.bind((HOST, 0))
        self.number: int = self._place.getsockname()[1]
        self.address = f"{HOST}:{self.number}"

    def release(self) -> None:
        self._place.close()


class ServerProcess:
    """One server that is ready when a line of its log says so.

    Nothing here waits on an event loop: a test whose loop has to go on meanwhile calls it with
    `asyncio.to_thread`.
    """

    def __init__(
        self,
        *,
        command: Command,
        log: Path,
        ready: str,
        stop_signal: signal.Signals = signal.SIGTERM,
        user: str | None = None,
    ) -> None:
        self._command = command
        self._log = log
        self._ready = ready.encode()
        self._stop_signal = stop_signal
        self._user = user
        self._life: Life | None = None
        self._log_start = 0

    def start(self) -> None:
        """Start it and wait until it is ready; raises `ServerFailedError`."""
        self.launch()
        self.wait_until_ready()

    def launch(self) -> None:
        """Start it where it does not run, and do not wait."""
        if self._life is not None and not self._life.ended():
            return
        self.kill()
        with self._log.open("ab") as log:
            self._log_start = log.tell()
            self._life = Life(self._command, user=self._user, log=log)

    def wait_until_ready(self) -> None:
        """Wait until it has said so; raises `ServerFailedError`."""
        self.wait_until(lambda: self._ready in self._said())

    def wait_until(self, condition: Callable[[], bool]) -> None:
        """Wait until something holds; where it does not, kill it; raises `ServerFailedError`."""
        deadline = time.monotonic() + _START_SECONDS
        while not condition():
            if self._ended(within_seconds=_LOOK_SECONDS) or time.monotonic() > deadline:
                self.kill()
                raise ServerFailedError(f"{self._command[0]} does not come up:\n{self._tail()}")

    def ask_to_stop(self) -> None:
        """Ask it to stop, and do not wait."""
        if self._life is not None:
            self._life.ask(self._stop_signal)
            self.resume()

    def stop(self) -> None:
        """Ask it to stop, and wait until it has; kill it where it does not."""
        self.ask_to_stop()
        self._ended(within_seconds=_STOP_SECONDS)
        self.kill()

    def kill(self) -> None:
        """End it with SIGKILL, and wait until nothing of it is left."""
        if self._life is not None:
            self._life.bury()
            self._life = None

    def pause(self) -> None:
        """Freeze the process: it keeps its connections and answers nothing."""
        if self._life is not None:
            self._life.ask(signal.SIGSTOP)

    def resume(self) -> None:
        if self._life is not None:
            self._life.ask(signal.SIGCONT)

    def _ended(self, *, within_seconds: float) -> bool:
        return self._life is None or self._life.ended(within_seconds=within_seconds)

    def _tail(self) -> str:
        return "\n".join(self._said().decode(errors="replace").splitlines()[-_TAIL_LINES:])

    def _said(self) -> bytes:
        """Return what it has said in this life."""
        with self._log.open("rb") as log:
            log.seek(self._log_start)
            return log.read()
