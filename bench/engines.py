"""The log and the journal that a part of the bench measures, opened as the hub opens them."""

from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from pathlib import Path

from hub.bus.interface import Bus
from hub.journal.interface import Journal
from hub.settings import KafkaSettings, PostgresSettings, Secret, Settings
from hub.telemetry.redaction import Redactor
from hub.wiring.clock import SYSTEM_CLOCKS
from hub.wiring.engines import Engines
from hub.wiring.tasks import Tasks


def on_sqlite(folder: Path) -> Settings:
    """Return settings for one file, the default."""
    address = f"sqlite:///{folder / 'hub.db'}"
    return Settings(bus=address, journal=address)


def on_servers(*, kafka: str, postgres: str, password_file: Path) -> Settings:
    """Return settings for one broker and one database server."""
    return Settings(
        bus=f"kafka://{kafka}",
        journal=postgres,
        kafka=KafkaSettings(replication=1),
        postgres=PostgresSettings(password=Secret(file=password_file)),
    )


@asynccontextmanager
async def engines_of(settings: Settings) -> AsyncIterator[Engines]:
    """Have the engines at hand, each of which is opened on demand, as by its owner."""
    async with AsyncExitStack() as stack:
        yield Engines(
            settings,
            stack=stack,
            tasks=Tasks(stack),
            learn=Redactor().add,
            clocks=SYSTEM_CLOCKS,
        )


@asynccontextmanager
async def opened(settings: Settings) -> AsyncIterator[tuple[Bus, Journal]]:
    """Open the log and the journal."""
    async with engines_of(settings) as engines:
        bus = await engines.open_bus()
        journal, _ = await engines.open_journal()
        yield bus, journal
