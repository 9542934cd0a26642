"""The write-ahead log stays short by itself, and where it cannot, somebody is told."""

import asyncio
import os
from collections.abc import AsyncIterator
from dataclasses import dataclass, field
from pathlib import Path

import apsw
import pytest
from sqlite_process import next_line, other_process

from hub.sqlite import Database
from hub.sqlite.checkpoints import ALARM_BYTES, CHECKPOINT_BYTES

MIB = 1024 * 1024
SOON = 30.0


def write_a_mebibyte(file: apsw.Connection) -> None:
    file.execute("INSERT INTO noise VALUES (?)", (os.urandom(MIB),))


@dataclass
class Written:
    """A file, and the alarms about it."""

    database: Database
    alarms: list[int] = field(default_factory=list)
    rang: asyncio.Event = field(default_factory=asyncio.Event)

    async def write(self, mebibytes: int) -> None:
        for _ in range(mebibytes):
            await self.database.write(write_a_mebibyte)

    def log_size(self) -> int:
        return self.database.path.with_name("some.db-wal").stat().st_size


@pytest.fixture
async def written(tmp_path: Path) -> AsyncIterator[Written]:
    loop = asyncio.get_running_loop()

    def alarm(log_bytes: int) -> None:
        one.alarms.append(log_bytes)
        loop.call_soon_threadsafe(one.rang.set)

    one = Written(await Database.own(tmp_path / "some.db", alarm=alarm))
    await one.database.migrate("test", ["CREATE TABLE noise (data BLOB)"])
    yield one
    await one.database.close()


async def test_the_log_stays_short_while_much_is_written(written: Written) -> None:
    await written.write(2 * ALARM_BYTES // MIB)
    assert written.log_size() < ALARM_BYTES
    assert written.alarms == []


async def test_a_reader_that_stays_raises_the_alarm_and_the_log_shrinks_when_it_leaves(
    written: Written,
) -> None:
    """T71."""
    await written.write(1)
    async with other_process("hold", written.database.path) as reader:
        assert await next_line(reader) == ["reading"]
        await written.write((ALARM_BYTES + CHECKPOINT_BYTES) // MIB)
        async with asyncio.timeout(SOON):
            await written.rang.wait()
        assert all(size >= ALARM_BYTES for size in written.alarms)
    async with asyncio.timeout(SOON):
        while written.log_size() >= ALARM_BYTES:
            await written.write(1)
