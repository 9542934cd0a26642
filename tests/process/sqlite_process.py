"""The other process of the SQLite tests: `python sqlite_process.py append|own|fill|hold FILE`.

It says what was acknowledged on standard output, a line at a time.
"""

import asyncio
import hashlib
import os
import resource
import sys
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import asynccontextmanager
from itertools import count
from pathlib import Path

import apsw

import hub
from hub.bus.schema import MIGRATIONS
from hub.bus.sqlite import SqliteBus
from hub.errors import StorageError
from hub.events.envelope import Envelope
from hub.sqlite import Database

PATIENCE_SECONDS = 60.0
APPENDERS = 8
FEW = 25
ATTEMPTS_AFTER_AN_ERROR = 5
KIB = 1024
ROOM_BYTES = 256 * KIB
"""What `fill` lets its files grow by."""


def body_of(event_id: str) -> bytes:
    """Return the body that belongs to an id: now and then one that is written in pieces."""
    digest = hashlib.sha256(event_id.encode()).digest()
    return hashlib.shake_128(digest).digest(700 * KIB if digest[0] < 16 else 20 * digest[1])


def noise(size: int) -> bytes:
    """Return a body that cannot be packed."""
    return hashlib.shake_128(b"noise").digest(size)


def event(event_id: str, data: bytes | None = None) -> Envelope:
    return Envelope(
        id=event_id,
        source="https://api.github.com/repos/company/payments",
        type="com.github.push",
        partitionkey="company/payments",
        data=body_of(event_id) if data is None else data,
    )


@asynccontextmanager
async def owned_log(path: Path) -> AsyncIterator[SqliteBus]:
    database = await Database.own(path)
    try:
        await database.migrate("bus", MIGRATIONS)
        yield SqliteBus(store=database)
    finally:
        await database.close()


async def all_bodies(bus: SqliteBus) -> dict[str, bytes]:
    bodies: dict[str, bytes] = {}
    last = None
    while records := await bus.read(after=last, limit=1000):
        bodies |= {record.envelope.id: record.envelope.data for record in records}
        last = records[-1].position
    return bodies


@asynccontextmanager
async def other_process(
    *arguments: object, under: Sequence[str] = ()
) -> AsyncIterator[asyncio.subprocess.Process]:
    """Run this file as another process for as long as the context is open."""
    process = await asyncio.create_subprocess_exec(
        *under,
        sys.executable,
        __file__,
        *map(str, arguments),
        stdin=asyncio.subprocess.PIPE,
        stdout=asyncio.subprocess.PIPE,
        env={**os.environ, "PYTHONPATH": str(Path(hub.__file__).parents[1])},
    )
    try:
        async with asyncio.timeout(PATIENCE_SECONDS):
            yield process
    finally:
        if process.returncode is None:
            process.kill()
        await process.communicate()


async def next_line(process: asyncio.subprocess.Process) -> list[str]:
    assert process.stdout is not None
    return (await process.stdout.readline()).decode().split()


async def all_lines(process: asyncio.subprocess.Process) -> list[list[str]]:
    assert process.stdout is not None
    lines = [line.decode().split() async for line in process.stdout]
    assert await process.wait() == 0
    return lines


def say(*words: object) -> None:
    """Tell the parent at once: one write, so that a kill cannot cut it in two."""
    os.write(1, (" ".join(map(str, words)) + "\n").encode())


async def append(path: Path, name: str) -> None:
    """Append without end, by many at once."""

    async def appender(number: int) -> None:
        for turn in count():
            event_id = f"{name}-{number}-{turn}"
            await bus.append([event(event_id)])
            say(event_id)

    async with owned_log(path) as bus:
        await asyncio.gather(*(appender(number) for number in range(APPENDERS)))


async def few(path: Path) -> None:
    """Append one after another, and on for a while after an error."""
    refused = 0
    async with owned_log(path) as bus:
        for number in range(FEW):
            try:
                await bus.append([event(str(number), b"{}")])
                say("stored", number)
            except StorageError:
                say("refused", number)
                refused += 1
            if refused > ATTEMPTS_AFTER_AN_ERROR:
                break


async def fill(path: Path) -> None:
    """Append until there is no room; make room, and append again."""
    hard = resource.getrlimit(resource.RLIMIT_FSIZE)[1]
    async with owned_log(path) as bus:
        await store(bus, "before")
        resource.setrlimit(resource.RLIMIT_FSIZE, (_size(path) + ROOM_BYTES, hard))
        await store_until_refused(bus)
        resource.setrlimit(resource.RLIMIT_FSIZE, (hard, hard))
        await bus.check()
        say("ready")
        await store(bus, "after")


async def store(bus: SqliteBus, event_id: str) -> None:
    await bus.append([event(event_id, noise(20 * KIB))])
    say("stored", event_id)


async def store_until_refused(bus: SqliteBus) -> None:
    try:
        for number in count():
            await store(bus, str(number))
    except StorageError:
        say("refused")
    try:
        await bus.check()
    except StorageError:
        say("unready")


async def own(path: Path) -> None:
    """Own the file until told to end."""
    async with owned_log(path):
        say("owns", os.getpid())
        await asyncio.to_thread(sys.stdin.read)


async def hold(path: Path) -> None:
    """Stay in one old state of the file until told to end."""
    connection = apsw.Connection(str(path), flags=apsw.SQLITE_OPEN_READONLY)
    connection.execute("BEGIN")
    connection.execute("SELECT count(*) FROM sqlite_schema").get  # noqa: B018  it begins to read
    say("reading")
    await asyncio.to_thread(sys.stdin.read)
    connection.close()


def _size(path: Path) -> int:
    return max(one.stat().st_size for one in path.parent.iterdir())


PROGRAMS: dict[str, Callable[..., object]] = {
    "append": append, "few": few, "fill": fill, "own": own, "hold": hold
}  # fmt: skip

if __name__ == "__main__":
    asyncio.run(PROGRAMS[sys.argv[1]](Path(sys.argv[2]), *sys.argv[3:]))  # type: ignore[arg-type]
