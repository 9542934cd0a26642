"""The log and the journal: which engines keep them, opened here and closed with the stack.

An engine's driver is imported when the settings name it: nobody else pays for it.
"""

from contextlib import AsyncExitStack
from pathlib import Path

from hub.bus.interface import Bus
from hub.bus.schema import MIGRATIONS as BUS_MIGRATIONS
from hub.bus.spool import SpooledBus
from hub.bus.sqlite import SqliteBus
from hub.configuration import (
    KafkaAddress,
    PostgresAddress,
    SqliteAddress,
    bus_address,
    journal_address,
)
from hub.journal.interface import Journal, Records
from hub.journal.records import SqliteRecords
from hub.journal.schema import MIGRATIONS as JOURNAL_MIGRATIONS
from hub.journal.sqlite import SqliteJournal
from hub.secrets import Learn
from hub.settings import Settings
from hub.sqlite import Database
from hub.wiring.clock import Clocks
from hub.wiring.role import process_name
from hub.wiring.secrets import open_engine_secrets
from hub.wiring.tasks import Tasks


class Engines:
    """What the settings name under `bus` and `journal`, each opened when it is asked for."""

    def __init__(
        self,
        settings: Settings,
        *,
        stack: AsyncExitStack,
        learn: Learn,
        clocks: Clocks,
        tasks: Tasks | None = None,
    ) -> None:
        """What is opened is closed with `stack`. Without `tasks`, it is as a visitor.

        A visitor changes no tables and no topics, and executes no runs. Raises SettingsError where
        a password cannot be read.
        """
        self._settings = settings
        self._stack = stack
        self._tasks = tasks
        self._clocks = clocks
        self._secrets = open_engine_secrets(settings, learn=learn)
        self._files: dict[Path, Database] = {}
        self.log_here: SqliteBus | None = None
        """The log, once open, where it is a file that somebody has to keep short."""

    @property
    def disk_failed(self) -> bool:
        """Whether a file can be written again only by another process."""
        return any(file.lost for file in self._files.values())

    async def open_bus(self, *, spooling: bool = False) -> Bus:
        """Open the log, with its spool where that is wanted and the settings name one.

        Raises StorageError, and SettingsError where its topics do not fit.
        """
        match bus_address(self._settings.bus):
            case SqliteAddress(path):
                self.log_here = await self._sqlite_bus(path)
                return self.log_here
            case KafkaAddress(servers):
                return await self._kafka_bus(servers, spooling=spooling)

    async def open_journal(self) -> tuple[Journal, Records]:
        """Open the journal. Raises StorageError."""
        match journal_address(self._settings.journal):
            case SqliteAddress(path):
                return await self._sqlite_journal(path)
            case PostgresAddress() as address:
                return await self._postgres_journal(address)

    async def _open_file(self, path: Path) -> Database:
        """Open a file once, though the log and the journal may share it."""
        if path not in self._files:
            opened = await (Database.visit(path) if self._tasks is None else Database.own(path))
            self._stack.push_async_callback(opened.close)
            self._files[path] = opened
        return self._files[path]

    async def _sqlite_bus(self, path: Path) -> SqliteBus:
        file = await self._open_file(path)
        await file.migrate("bus", BUS_MIGRATIONS)
        bus = SqliteBus(store=file, clock=self._clocks.wall)
        if self._tasks is not None:
            await bus.recover()
        return bus

    async def _kafka_bus(self, servers: tuple[str, ...], *, spooling: bool) -> Bus:
        from hub.bus.kafka import KafkaBus  # noqa: PLC0415  see above

        settings = self._settings.kafka
        spool = settings.spool if spooling else None
        settings = settings.model_copy(
            update={
                "spool": spool,
                "create_topics": settings.create_topics and self._tasks is not None,
            }
        )
        bus = KafkaBus(
            servers=servers,
            settings=settings,
            password=self._secrets.kafka,
            instance=self._settings.instance,
        )
        self._stack.push_async_callback(bus.stop)
        await bus.start()
        if self._tasks is None or spool is None:
            return bus
        spooled = SpooledBus(bus=bus, spool=await self._sqlite_bus(spool), clock=self._clocks.wall)
        self._tasks.start(spooled.run(), "spool")
        return spooled

    async def _sqlite_journal(self, path: Path) -> tuple[Journal, Records]:
        file = await self._open_file(path)
        await file.migrate("journal", JOURNAL_MIGRATIONS)
        journal = SqliteJournal(store=file, clock=self._clocks.wall)
        if self._tasks is not None:
            await journal.recover()
        return journal, SqliteRecords(store=file)

    async def _postgres_journal(self, address: PostgresAddress) -> tuple[Journal, Records]:
        from hub.journal import postgres  # noqa: PLC0415  see above

        store = postgres.PostgresStore(
            host=address.host,
            port=address.port,
            user=address.user,
            database=address.database,
            settings=self._settings.postgres,
            password=self._secrets.postgres,
            worker=process_name(self._settings.instance),
            visitor=self._tasks is None,
        )
        self._stack.push_async_callback(store.stop)
        await store.start()
        journal = postgres.PostgresJournal(store=store, clock=self._clocks.wall)
        return journal, postgres.PostgresRecords(store=store)
