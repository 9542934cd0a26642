"""Where a command finds its settings, the log and the journal."""

import os
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path

from hub.bus.interface import Bus
from hub.bus.sqlite import SqliteBus
from hub.configuration import load, sqlite_path
from hub.dispatch.handler import Handler
from hub.journal.interface import Journal, Records
from hub.journal.records import SqliteRecords
from hub.journal.sqlite import SqliteJournal
from hub.settings import Settings
from hub.sqlite import Database
from hub.wiring import installed_handlers, wall_clock

DEFAULT_CONFIG = Path("trunkline.yaml")


def settings_of(config: Path | None) -> Settings:
    """Load the settings: the file named, or `trunkline.yaml` where there is one.

    Raises SettingsError with every mistake.
    """
    named = config or (DEFAULT_CONFIG if DEFAULT_CONFIG.exists() else None)
    return load(named, os.environ)


@dataclass(frozen=True, slots=True, kw_only=True)
class Desk:
    """What a command that looks at a hub's past works on, while the hub may be running."""

    settings: Settings
    bus: Bus
    journal: Journal
    records: Records
    handlers: Sequence[Handler]


@asynccontextmanager
async def desk(config: Path | None) -> AsyncIterator[Desk]:
    """Open the log and the journal as a visitor. Raises StorageError where there are none."""
    settings = settings_of(config)
    bus_file = await Database.visit(sqlite_path(settings.bus))
    journal_file = await Database.visit(sqlite_path(settings.journal))
    try:
        yield Desk(
            settings=settings,
            bus=SqliteBus(store=bus_file),
            journal=SqliteJournal(store=journal_file, clock=wall_clock),
            records=SqliteRecords(store=journal_file),
            handlers=installed_handlers(settings.dispatch),
        )
    finally:
        await journal_file.close()
        await bus_file.close()
