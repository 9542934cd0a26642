"""The connections to one PostgreSQL, and the tasks of whoever uses them.

Foreign errors stop here: a caller sees StorageError. What has failed may have been done all the
same, where the connection was cut before the answer came; so what runs here must bear repeating.
"""

import asyncio
from collections.abc import Awaitable, Callable, Coroutine
from contextlib import AsyncExitStack, suppress
from typing import Any, TypeVar
from uuid import uuid4

import structlog
from asyncpg import exceptions

from hub.errors import StorageError
from hub.journal.postgres import migration
from hub.journal.postgres.connecting import (
    CONNECT_SECONDS,
    Address,
    Connection,
    connect_arguments,
    open_connection,
    open_pool,
)
from hub.journal.postgres.schema import MIGRATIONS
from hub.secrets import SecretPlace
from hub.settings import PostgresSettings

T = TypeVar("T")
Job = Callable[[Connection], Awaitable[T]]
"""What is done with a connection. No statement, and no cursor, outlives it."""

MIGRATION_SECONDS = 600.0
"""What a change of the tables may take, the wait for another process that makes it included."""

_TRIES = 5
"""Of a transaction that met another one; each time one of the two has won."""

_CONFUSED = (exceptions.InterfaceError, exceptions.InternalClientError)
"""asyncpg is asked for what a connection cannot do, as it was cut in the middle of something."""

_log = structlog.get_logger()


class PostgresStore:
    """One PostgreSQL database."""

    def __init__(
        self,
        *,
        host: str,
        port: int,
        user: str,
        database: str,
        settings: PostgresSettings,
        password: SecretPlace | None,
        worker: str,
        visitor: bool = False,
    ) -> None:
        """`worker` names this process for people. A `visitor` leaves the tables as they are.

        Raises SettingsError where the certificates cannot be used.
        """
        self.worker = worker
        self.lease_seconds = settings.lease_seconds
        self.name = uuid4().hex
        self._where = f"PostgreSQL at {host}:{port}/{database}"
        self._visitor = visitor
        self._size = settings.connections
        address = Address(host=host, port=port, user=user, database=database)
        self._arguments = connect_arguments(
            address, settings=settings, password=password, name=worker
        )
        self._pool: Any = None
        self._tasks: set[asyncio.Task[None]] = set()
        self._farewells = AsyncExitStack()

    async def start(self) -> None:
        """Connect, and bring the tables up to date. Raises StorageError."""
        self._pool = await self._answered(lambda: open_pool(self._arguments, most=self._size))
        try:
            if self._visitor:
                await self.run(
                    lambda connection: migration.expect(connection, "journal", MIGRATIONS)
                )
            else:
                await self._migrate()
        except BaseException:
            self._pool.terminate()
            raise

    async def stop(self) -> None:
        """Say farewell to the other workers, end the tasks and close the connections."""
        with suppress(StorageError, TimeoutError):
            async with asyncio.timeout(CONNECT_SECONDS):
                await self._farewells.aclose()
        tasks = tuple(self._tasks)
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        if self._pool is not None:
            try:
                async with asyncio.timeout(CONNECT_SECONDS):
                    await self._pool.close()
            except (TimeoutError, OSError, exceptions.InterfaceError):
                self._pool.terminate()

    async def run(self, job: Job[T]) -> T:
        """Do `job` on a connection; it may be done again where it met another's transaction.

        Raises StorageError; ClaimLost and the like that `job` raises pass.
        """
        for _ in range(_TRIES - 1):
            with suppress(_Collision):
                return await self._answered(lambda: self._run(job))
        return await self._answered(lambda: self._run(job))

    async def transact(self, job: Job[T]) -> T:
        """Do `job` in one transaction; see `run`."""

        async def whole(connection: Connection) -> T:
            async with connection.transaction():
                return await job(connection)

        return await self.run(whole)

    def keep(self, name: str, work: Coroutine[Any, Any, None]) -> None:
        """Run `work` as a task of this store, which ends with it."""
        task = asyncio.create_task(work, name=name)
        self._tasks.add(task)
        task.add_done_callback(self._done)

    def at_stop(self, farewell: Callable[[], Awaitable[None]]) -> None:
        """Have something said while there still are connections."""
        self._farewells.push_async_callback(farewell)

    async def connect(self) -> Any:
        """Open a connection beside the others. Raises StorageError."""
        return await self._answered(lambda: open_connection(self._arguments))

    async def _run(self, job: Job[T]) -> T:
        if self._pool is None:
            raise StorageError("the database is not open")
        async with self._pool.acquire(timeout=CONNECT_SECONDS) as connection:
            try:
                return await job(connection)
            except (OSError, exceptions.PostgresConnectionError, *_CONFUSED):
                # Nobody knows what still comes over it. It may be gone already.
                with suppress(exceptions.InterfaceError):
                    connection.terminate()
                raise

    async def _answered(self, ask: Callable[[], Awaitable[T]]) -> T:
        try:
            return await ask()
        except (exceptions.DeadlockDetectedError, exceptions.SerializationError) as error:
            raise _Collision(f"{self._where}: {error}") from error
        except (exceptions.PostgresConnectionError, exceptions.OperatorInterventionError) as error:
            raise StorageError(f"{self._where}: {error}") from error
        except (exceptions.PostgresError, UnicodeError) as error:
            # What PostgreSQL says of a value may repeat it, and this goes to the log.
            said = f"{type(error).__name__} {getattr(error, 'sqlstate', '')}".strip()
            raise Rejected(f"{self._where} refused it: {said}") from error
        except (OSError, *_CONFUSED) as error:
            raise StorageError(f"{self._where}: {str(error) or type(error).__name__}") from error

    async def _migrate(self) -> None:
        arguments = self._arguments | {"command_timeout": MIGRATION_SECONDS, "server_settings": {}}
        connection = await self._answered(lambda: open_connection(arguments))
        try:
            await self._answered(lambda: migration.migrate(connection, "journal", MIGRATIONS))
        finally:
            await connection.close(timeout=CONNECT_SECONDS)

    def _done(self, task: asyncio.Task[None]) -> None:
        self._tasks.discard(task)
        if not task.cancelled() and (error := task.exception()) is not None:
            _log.error("journal_task_failed", task=task.get_name(), exc_info=error)


class Rejected(StorageError):
    """PostgreSQL refused a statement, and its transaction has changed nothing."""


class _Collision(StorageError):
    """PostgreSQL undid a transaction because of another one."""
