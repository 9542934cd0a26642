"""The store: commits in groups, one owner, versions of tables, and files that are refused."""

import asyncio
import os
import stat
import threading
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import apsw
import pytest

from hub.errors import StorageError, StorageOwned
from hub.sqlite import Database, Job
from hub.sqlite.writer import MAX_WAITING_BYTES, MAX_WAITING_JOBS

SOON = 5.0
TABLE = "CREATE TABLE numbers (number INTEGER NOT NULL)"


@pytest.fixture
async def database(tmp_path: Path) -> AsyncIterator[Database]:
    opened = await Database.own(tmp_path / "some.db")
    await opened.migrate("test", [TABLE])
    yield opened
    await opened.close()


class Insert:
    """A job that inserts its number and returns it."""

    def __init__(self, number: int) -> None:
        self.number = number

    def __call__(self, file: apsw.Connection) -> int:
        file.execute("INSERT INTO numbers VALUES (?)", (self.number,))
        return self.number


def insert_and_fail(file: apsw.Connection) -> int:
    Insert(-1)(file)
    raise LookupError("a job's own error")


async def numbers(database: Database) -> list[int]:
    query = "SELECT number FROM numbers ORDER BY rowid"
    return await database.read(lambda file: [number for (number,) in file.execute(query)])


@contextmanager
def held_up(database: Database) -> Iterator[asyncio.Task[list[int]]]:
    """Keep the writer busy, so that what is submitted meanwhile waits; counts later commits."""
    begun, go_on = threading.Event(), threading.Event()
    commits: list[int] = []

    def count() -> bool:
        commits.append(1)
        return False

    def hold(file: apsw.Connection) -> list[int]:
        begun.set()
        go_on.wait(SOON)
        file.set_commit_hook(count)
        return commits

    task = asyncio.create_task(database.write(hold))
    try:
        yield task
    finally:
        go_on.set()


async def test_jobs_that_wait_for_the_disk_share_one_commit(database: Database) -> None:
    with held_up(database) as first:
        await asyncio.sleep(0)
        others = [asyncio.create_task(database.write(Insert(number))) for number in range(100)]
        await asyncio.sleep(0)
    assert await asyncio.gather(*others) == list(range(100))
    assert len(await first) <= 2
    assert await numbers(database) == list(range(100))


async def test_jobs_of_one_turn_of_the_loop_share_one_commit(database: Database) -> None:
    with held_up(database) as counting:
        await asyncio.sleep(0)
    commits = await counting
    commits.clear()
    answers = await asyncio.gather(*(database.write(Insert(number)) for number in range(100)))
    assert answers == list(range(100))
    assert len(commits) == 1


async def test_a_job_that_raises_is_undone_alone_and_its_error_is_its_callers(
    database: Database,
) -> None:
    with held_up(database):
        await asyncio.sleep(0)
        jobs: list[Job[int]] = [
            Insert(1), insert_and_fail, Insert(2), insert_and_fail, Insert(3)
        ]  # fmt: skip
        tasks = [asyncio.create_task(database.write(job)) for job in jobs]
        await asyncio.sleep(0)
    answers = await asyncio.gather(*tasks, return_exceptions=True)
    assert [answer for answer in answers if isinstance(answer, int)] == [1, 2, 3]
    assert [type(answer) for answer in answers[1::2]] == [LookupError, LookupError]
    assert await numbers(database) == [1, 2, 3]


async def test_an_error_of_sqlite_leaves_as_one_of_the_storage(database: Database) -> None:
    with pytest.raises(StorageError, match="NOT NULL"):
        await database.write(lambda file: file.execute("INSERT INTO numbers VALUES (NULL)").get)
    with pytest.raises(StorageError, match="no such table"):
        await database.read(lambda file: file.execute("SELECT * FROM missing").get)
    await database.write(Insert(1))
    assert await numbers(database) == [1]


async def test_a_caller_that_leaves_takes_nobody_with_it(database: Database) -> None:
    with held_up(database):
        await asyncio.sleep(0)
        leaving = asyncio.create_task(database.write(Insert(1)))
        staying = asyncio.create_task(database.write(Insert(2)))
        await asyncio.sleep(0)
        leaving.cancel()
        await asyncio.wait([leaving])
    assert leaving.cancelled()
    assert await staying == 2
    assert await numbers(database) == [1, 2]


async def test_what_waits_is_bounded_in_bytes(database: Database) -> None:
    """T58: whoever comes too much is told, and nothing is dropped."""
    with held_up(database):
        await asyncio.sleep(0)
        large = asyncio.create_task(database.write(Insert(1), size=MAX_WAITING_BYTES))
        await asyncio.sleep(0)
        with pytest.raises(StorageError, match="busy"):
            await database.write(Insert(2), size=1)
    assert await large == 1
    assert await database.write(Insert(3), size=1) == 3


async def test_what_waits_is_bounded_in_number(database: Database) -> None:
    with held_up(database):
        await asyncio.sleep(0)
        waiting = [
            asyncio.create_task(database.write(Insert(number)))
            for number in range(MAX_WAITING_JOBS - 1)
        ]
        await asyncio.sleep(0)
        with pytest.raises(StorageError, match="busy"):
            await database.write(Insert(-1))
    await asyncio.gather(*waiting)
    assert len(await numbers(database)) == MAX_WAITING_JOBS - 1


async def test_a_reader_cannot_write(database: Database) -> None:
    with pytest.raises(StorageError, match="readonly"):
        await database.read(Insert(1))
    assert await numbers(database) == []


async def test_a_reader_sees_one_state_of_the_file(database: Database) -> None:
    looked, go_on = threading.Event(), threading.Event()

    def look_twice(file: apsw.Connection) -> list[int]:
        first = file.execute("SELECT count(*) FROM numbers").get
        looked.set()
        go_on.wait(SOON)
        return [first, file.execute("SELECT count(*) FROM numbers").get]

    reading = asyncio.create_task(database.read(look_twice))
    await asyncio.to_thread(looked.wait, SOON)
    await database.write(Insert(1))
    go_on.set()
    assert await reading == [0, 0]
    assert await numbers(database) == [1]


async def test_what_was_submitted_before_closing_is_written(tmp_path: Path) -> None:
    path = tmp_path / "some.db"
    database = await Database.own(path)
    await database.migrate("test", [TABLE])
    with held_up(database):
        await asyncio.sleep(0)
        last = asyncio.create_task(database.write(Insert(1)))
        await asyncio.sleep(0)
    await database.close()
    assert await last == 1
    for late in (database.write(Insert(2)), database.read(Insert(2))):
        with pytest.raises(StorageError, match="closed"):
            await late
    again = await Database.own(path)
    assert await numbers(again) == [1]
    await again.close()


async def test_closing_does_not_wait_for_a_query_without_end(tmp_path: Path) -> None:
    database = await Database.own(tmp_path / "some.db")
    begun = threading.Event()

    def endless(file: apsw.Connection) -> int:
        begun.set()
        count = (
            "WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n) SELECT sum(i) FROM n"
        )
        return int(file.execute(count).get)

    reading = asyncio.create_task(database.read(endless))
    await asyncio.to_thread(begun.wait, SOON)
    async with asyncio.timeout(SOON):
        await database.close()
    with pytest.raises(StorageError, match="interrupted"):
        await reading


async def test_migrations_are_applied_once_and_in_order(database: Database) -> None:
    await database.migrate("test", [TABLE])
    await database.migrate("test", [TABLE, "INSERT INTO numbers VALUES (1)"])
    await database.migrate("test", [TABLE, "INSERT INTO numbers VALUES (1)"])
    await database.migrate("other", ["INSERT INTO numbers VALUES (2)"])
    assert await numbers(database) == [1, 2]


async def test_a_migration_that_fails_leaves_nothing_of_itself(database: Database) -> None:
    broken = [TABLE, "INSERT INTO numbers VALUES (1)", "INSERT INTO missing VALUES (1)"]
    with pytest.raises(StorageError, match="missing"):
        await database.migrate("test", broken)
    assert await numbers(database) == []
    await database.migrate("test", [TABLE, "INSERT INTO numbers VALUES (3)"])
    assert await numbers(database) == [3]


async def test_tables_of_a_newer_version_are_refused(database: Database) -> None:
    """T74."""
    await database.migrate("test", [TABLE, "INSERT INTO numbers VALUES (1)"])
    with pytest.raises(StorageError, match=r"version 2, newer than this program's 1"):
        await database.migrate("test", [TABLE])
    visitor = await Database.visit(database.path)
    with pytest.raises(StorageError, match=r"version 2, newer than this program's 1"):
        await visitor.migrate("test", [TABLE])
    await visitor.close()


async def test_a_visitor_never_changes_tables(database: Database) -> None:
    visitor = await Database.visit(database.path)
    assert (database.owned, visitor.owned) == (True, False)
    await visitor.migrate("test", [TABLE])
    for component, migrations in (("test", [TABLE, "DROP TABLE numbers"]), ("new", [TABLE])):
        with pytest.raises(StorageError, match="start the hub once"):
            await visitor.migrate(component, migrations)
    await visitor.close()
    assert await numbers(database) == []


async def test_a_visitor_writes_beside_the_owner(database: Database) -> None:
    visitor = await Database.visit(database.path)
    await asyncio.gather(
        *(one.write(Insert(number)) for number in range(50) for one in (database, visitor))
    )
    assert sorted(await numbers(database)) == sorted([*range(50), *range(50)])
    await visitor.close()


async def test_a_visitor_needs_a_file_that_is_there(tmp_path: Path) -> None:
    with pytest.raises(StorageError, match="does not exist"):
        await Database.visit(tmp_path / "none.db")
    assert not (tmp_path / "none.db").exists()


async def test_a_file_has_one_owner(database: Database) -> None:
    with pytest.raises(StorageOwned, match=rf"owned by process {os.getpid()} on .+ since 2"):
        await Database.own(database.path)
    await database.write(Insert(1))
    await database.close()
    again = await Database.own(database.path)
    assert await numbers(again) == [1]
    await again.close()


async def test_a_file_has_one_owner_by_whatever_name(database: Database, tmp_path: Path) -> None:
    (tmp_path / "link.db").symlink_to(database.path)
    with pytest.raises(StorageOwned, match=rf"process {os.getpid()} "):
        await Database.own(tmp_path / "link.db")


async def test_a_new_file_is_for_its_owners_eyes_only(tmp_path: Path) -> None:
    database = await Database.own(tmp_path / "state" / "some.db")
    await database.migrate("test", [TABLE])
    modes = {
        one.name: stat.S_IMODE(one.stat().st_mode)
        for one in (database.path.parent, *database.path.parent.iterdir())
    }
    await database.close()
    files = ("some.db", "some.db-wal", "some.db-shm", "some.db.owner")
    assert modes == {"state": 0o700} | dict.fromkeys(files, 0o600)


async def test_a_place_that_cannot_be_written_is_refused(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    with pytest.raises(StorageError, match="cannot be created"):
        await Database.own(tmp_path / "file" / "some.db")
    with pytest.raises(StorageError, match="cannot be created"):
        await Database.own(tmp_path)


async def test_an_owners_name_is_never_written_through_a_link(tmp_path: Path) -> None:
    precious = tmp_path / "precious"
    precious.write_text("as it was")
    (tmp_path / "some.db.owner").symlink_to(precious)
    with pytest.raises(StorageError, match="owner cannot be opened"):
        await Database.own(tmp_path / "some.db")
    assert precious.read_text() == "as it was"


@pytest.fixture
async def filled(tmp_path: Path) -> Path:
    path = tmp_path / "some.db"
    database = await Database.own(path)
    await database.migrate("test", [TABLE, "CREATE INDEX by_number ON numbers (number)"])
    await asyncio.gather(*(database.write(Insert(number)) for number in range(5_000)))
    await database.close()
    return path


def content(path: Path) -> bytes:
    return path.read_bytes()


def replace_content(path: Path, data: bytes) -> None:
    path.write_bytes(data)


def garbage(data: bytes) -> bytes:
    return b"this is no database" + data


def torn_page(data: bytes) -> bytes:
    middle = len(data) // 2 // 4096 * 4096
    return data[:middle] + bytes(4096) + data[middle + 4096 :]


def cut_short(data: bytes) -> bytes:
    return data[: len(data) // 2 // 4096 * 4096]


@pytest.mark.parametrize("damage", [garbage, torn_page, cut_short])
async def test_a_damaged_file_is_refused_and_left_as_it_is(
    filled: Path, damage: Callable[[bytes], bytes]
) -> None:
    """T73."""
    damaged = damage(content(filled))
    replace_content(filled, damaged)
    for _ in range(2):
        with pytest.raises(StorageError, match=r"some\.db is damaged or no database .+ restore"):
            await Database.own(filled)
    assert content(filled) == damaged


async def test_a_sound_file_is_taken_again(filled: Path) -> None:
    database = await Database.own(filled)
    assert sorted(await numbers(database)) == list(range(5_000))
    await database.close()
