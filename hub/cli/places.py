"""Where a command that looks at a hub's past finds it."""

from collections.abc import AsyncIterator, Sequence
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass
from pathlib import Path

from hub.bus.interface import Bus
from hub.cli.configured import settings_of
from hub.dispatch.handler import Handler
from hub.journal.interface import Journal, Records
from hub.settings import Settings
from hub.telemetry.redaction import Redactor
from hub.wiring.clock import SYSTEM_CLOCKS
from hub.wiring.engines import Engines
from hub.wiring.installed import installed_handlers


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
    async with AsyncExitStack() as stack:
        engines = Engines(settings, stack=stack, learn=Redactor().add, clocks=SYSTEM_CLOCKS)
        bus = await engines.open_bus()
        journal, records = await engines.open_journal()
        yield Desk(
            settings=settings,
            bus=bus,
            journal=journal,
            records=records,
            handlers=installed_handlers(settings.dispatch),
        )
