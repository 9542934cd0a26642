"""The readers: a few threads, each with a connection that cannot write."""

import asyncio
import threading
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import TypeVar

import apsw

from hub.errors import StorageError
from hub.sqlite.opening import open_for_reading
from hub.sqlite.store import Job

T = TypeVar("T")

_THREADS = 2
"""One for the router, so that a slow search on the other does not hold up events."""

_STEPS = 10_000
"""SQLite instructions, a millisecond or so, after which a query asks whether it is still wanted."""


class Reader:
    """Runs queries off the event loop."""

    def __init__(self, *, path: Path) -> None:
        self._path = path
        self._own = threading.local()
        self._closed = False
        self._connections: list[apsw.Connection] = []
        self._pool = ThreadPoolExecutor(_THREADS, thread_name_prefix="sqlite-reader")

    async def run(self, query: Job[T]) -> T:
        """Run the query in a transaction of its own; see Store.read."""
        if self._closed:
            raise StorageError(f"{self._path} is closed")
        loop = asyncio.get_running_loop()
        try:
            return await loop.run_in_executor(self._pool, self._query, query)
        except apsw.Error as error:
            raise StorageError(f"{self._path} cannot be read: {error}") from error

    async def close(self) -> None:
        """Stop the queries that still run, end the threads and close the connections."""
        self._closed = True
        await asyncio.to_thread(self._pool.shutdown)
        for connection in self._connections:
            connection.close()

    def _query(self, query: Job[T]) -> T:
        connection = self._connection()
        connection.execute("BEGIN")
        try:
            return query(connection)
        finally:
            if connection.in_transaction:
                connection.execute("ROLLBACK")

    def _connection(self) -> apsw.Connection:
        connection: apsw.Connection | None = getattr(self._own, "connection", None)
        if connection is None:
            connection = self._own.connection = open_for_reading(self._path)
            connection.set_progress_handler(lambda: self._closed, _STEPS)
            self._connections.append(connection)
        return connection
