"""What is told of an object reaches the log, whatever of it the log knows already."""

from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from hub.bus.schema import MIGRATIONS
from hub.bus.sqlite import SqliteBus
from hub.events.envelope import Envelope
from hub.sqlite import Database
from hub.watcher import Telling


@pytest.fixture
async def bus(tmp_path: Path) -> AsyncIterator[SqliteBus]:
    database = await Database.own(tmp_path / "log.db")
    await database.migrate("bus", MIGRATIONS)
    yield SqliteBus(store=database)
    await database.close()


def event(state: str, body: bytes) -> Envelope:
    return Envelope(
        id=state, source="/databases/orders", type=state, partitionkey="orders", data=body
    )


async def test_what_is_seen_again_in_another_body_keeps_nothing_else_out(bus: SqliteBus) -> None:
    telling = Telling(bus)
    known = ["synced", "not-ready"]
    assert await telling.tell([event(one, b'"at first"') for one in known]) == 2
    seen = ["ready", "synced", "not-ready", "stuck"]
    assert await telling.tell([event(one, b'"later"') for one in seen]) == 2
    told = [one.envelope for one in await bus.read(after=None, limit=10)]
    assert [(one.type, one.data) for one in told] == [
        ("synced", b'"at first"'),
        ("not-ready", b'"at first"'),
        ("ready", b'"later"'),
        ("stuck", b'"later"'),
    ]
