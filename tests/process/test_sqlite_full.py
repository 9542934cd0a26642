"""A disk that is full: nothing is acknowledged, the check says so, and room mends it."""

from collections.abc import AsyncIterator
from pathlib import Path

import pytest
from sqlite_process import all_bodies, all_lines, event, noise, other_process, owned_log

from hub.bus.schema import MIGRATIONS
from hub.bus.sqlite import SqliteBus
from hub.errors import StorageError
from hub.sqlite import Database

PAGES = 2
"""Too few for what `check` writes and for what does not fit in a row."""
NO_LIMIT = 1_000_000_000


async def test_a_process_without_room_refuses_until_there_is_room_again(tmp_path: Path) -> None:
    """T70."""
    path = tmp_path / "log.db"
    async with other_process("fill", path) as process:
        said = await all_lines(process)
    stored = [line[1] for line in said if line[0] == "stored"]
    assert stored[0] == "before"
    assert said[-4:] == [["refused"], ["unready"], ["ready"], ["stored", "after"]]
    async with owned_log(path) as bus:
        assert set(stored) <= (await all_bodies(bus)).keys()


@pytest.fixture
async def database(tmp_path: Path) -> AsyncIterator[Database]:
    opened = await Database.own(tmp_path / "log.db")
    await opened.migrate("bus", MIGRATIONS)
    yield opened
    await opened.close()


async def limit(database: Database, pages: int) -> None:
    """Let the file have so many pages more, as if the disk ended there."""
    await database.write(
        lambda file: file.pragma("max_page_count", file.pragma("page_count") + pages)
    )


@pytest.mark.parametrize("size", [20_000, 3_000_000], ids=["ordinary", "in pieces"])
async def test_a_full_file_refuses_and_forgets_what_it_refused(
    database: Database, size: int
) -> None:
    bus = SqliteBus(store=database)
    await bus.append([event("before", b"1")])
    await limit(database, PAGES)
    refused = [event("first", b"2"), event("second", noise(size))]
    for _ in range(3):
        with pytest.raises(StorageError, match="full"):
            await bus.append(refused)
        with pytest.raises(StorageError, match="full"):
            await bus.check()
    assert (await all_bodies(bus)).keys() == {"before"}
    await limit(database, NO_LIMIT)
    await bus.check()
    await bus.append(refused)
    assert (await all_bodies(bus)).keys() == {"before", "first", "second"}


async def test_what_is_full_fails_everybody_in_the_commit_and_nobody_after(
    database: Database,
) -> None:
    bus = SqliteBus(store=database)
    await bus.append([event("before", b"1")])
    await limit(database, PAGES)
    with pytest.raises(StorageError, match="full"):
        await bus.append([event("large", noise(200_000))])
    await bus.append([event("small", b"2")])
    assert (await all_bodies(bus)).keys() == {"before", "small"}
