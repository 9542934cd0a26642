"""A home for a journal in PostgreSQL, and what its tests say in short."""

from collections.abc import AsyncIterator, Sequence
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass
from typing import Any
from urllib.parse import urlsplit

from journal_home import Clock
from servers.postgres import PostgresServer

from hub.journal.interface import Claim
from hub.journal.postgres import PostgresJournal, PostgresRecords, PostgresStore
from hub.secrets import SecretPlace
from hub.settings import PostgresSettings, Secret

LEASE_SECONDS = 30.0


def store_at(
    server: PostgresServer,
    database: str,
    *,
    worker: str = "one",
    port: int | None = None,
    lease_seconds: float = LEASE_SECONDS,
    visitor: bool = False,
) -> PostgresStore:
    """Return a store, not yet started; `port` is of a proxy before the server."""
    url = urlsplit(database)
    assert url.hostname
    assert url.username
    return PostgresStore(
        host=url.hostname,
        port=port or server.port,
        user=url.username,
        database=url.path[1:],
        settings=PostgresSettings(lease_seconds=lease_seconds, connections=4),
        password=SecretPlace(Secret(file=server.password_file), name="postgres.password"),
        worker=worker,
        visitor=visitor,
    )


class PostgresHome:
    """A database, and a process that works with it."""

    def __init__(self, server: PostgresServer) -> None:
        self.clock = Clock()
        self.server = server
        self.database = server.fresh_database()

    async def open(self) -> None:
        self.store = store_at(self.server, self.database)
        await self.store.start()
        self.journal = PostgresJournal(store=self.store, clock=self.clock)
        self.records = PostgresRecords(store=self.store)

    async def close(self) -> None:
        await self.store.stop()

    async def crash(self) -> None:
        # What was claimed is not given back: it is left to the others with the lease.
        await self.close()
        await self.open()
        await self.journal.recover()


@asynccontextmanager
async def postgres_home(server: PostgresServer) -> AsyncIterator[PostgresHome]:
    home = PostgresHome(server)
    await home.open()
    yield home
    await home.close()


@dataclass(frozen=True, kw_only=True)
class Worker:
    """One process on the journal, as far as the journal can tell."""

    name: str
    store: PostgresStore
    journal: PostgresJournal

    async def until_claimed(self) -> Sequence[Claim]:
        while not (claims := await self.journal.claim(worker=self.name, limit=100)):
            await self.journal.wait_for_work(3600)
        return claims


class Workers:
    """Any number of them on one new database."""

    def __init__(self, server: PostgresServer, stack: AsyncExitStack) -> None:
        self._server = server
        self._stack = stack
        self._clock = Clock()
        self.database = server.fresh_database()

    async def join(
        self,
        name: str,
        *,
        clock: Clock | None = None,
        port: int | None = None,
        lease_seconds: float = LEASE_SECONDS,
        visitor: bool = False,
    ) -> Worker:
        store = store_at(
            self._server,
            self.database,
            worker=name,
            port=port,
            lease_seconds=lease_seconds,
            visitor=visitor,
        )
        await store.start()
        self._stack.push_async_callback(store.stop)
        journal = PostgresJournal(store=store, clock=clock or self._clock)
        return Worker(name=name, store=store, journal=journal)

    async def let_lease_pass(self, name: str) -> None:
        await self._ask(
            "UPDATE workers SET alive_until = '-infinity' WHERE worker = $1 RETURNING 1", name
        )

    async def leased(self) -> list[str]:
        return [row[0] for row in await self._ask("SELECT worker FROM workers")]

    async def _ask(self, query: str, *values: str) -> list[Any]:
        store = store_at(self._server, self.database, visitor=True)
        await store.start()
        try:
            return await store.run(lambda connection: connection.fetch(query, *values))
        finally:
            await store.stop()
