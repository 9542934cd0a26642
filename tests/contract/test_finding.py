"""An event is found by its id, on the log or beside the dead letter that has outlived it."""

import tempfile
from collections.abc import AsyncIterator
from dataclasses import dataclass
from pathlib import Path

import pytest
from journal_home import event

from hub.bus.schema import MIGRATIONS as BUS_MIGRATIONS
from hub.bus.sqlite import SqliteBus
from hub.journal.interface import PlannedRun
from hub.journal.schema import MIGRATIONS as JOURNAL_MIGRATIONS
from hub.journal.sqlite import SqliteJournal
from hub.sqlite import Database
from hub.views.finding import find_events


@dataclass
class Past:
    bus: SqliteBus
    journal: SqliteJournal

    async def found(self, event_id: str) -> list[str]:
        records = await find_events(event_id, bus=self.bus, journal=self.journal)
        return [record.envelope.id for record in records]


@pytest.fixture
async def past() -> AsyncIterator[Past]:
    with tempfile.TemporaryDirectory() as folder:
        file = await Database.own(Path(folder) / "trunkline.db")
        await file.migrate("bus", BUS_MIGRATIONS)
        await file.migrate("journal", JOURNAL_MIGRATIONS)
        yield Past(
            bus=SqliteBus(store=file), journal=SqliteJournal(store=file, clock=lambda: 1_000.0)
        )
        await file.close()


async def dies(past: Past, name: str, handler: str = "build") -> None:
    dead = PlannedRun(envelope=event(name), handler=handler, lane="a", stillborn="cannot be read")
    await past.journal.plan([dead])


async def test_a_dead_letter_s_event_is_found_when_the_log_has_forgotten_it(past: Past) -> None:
    await dies(past, "0123456789")
    await dies(past, "0123456789", handler="announce")
    for text in ("0123456789", "01234567"):
        assert await past.found(text) == ["0123456789"]
    (record,) = await find_events("0123456789", bus=past.bus, journal=past.journal)
    assert (record.envelope, record.received_at) == (event("0123456789"), 1_000.0)


@pytest.mark.parametrize("text", ["0123456", "123456789", "01234567%", "0123456789a"])
async def test_nothing_is_found_by_less_than_a_beginning(past: Past, text: str) -> None:
    await dies(past, "0123456789")
    assert await past.found(text) == []


async def test_what_the_log_has_is_taken_from_there(past: Past) -> None:
    await past.bus.append([event("0123456789")])
    await dies(past, "01234567-other")
    assert await past.found("01234567") == ["0123456789"]
