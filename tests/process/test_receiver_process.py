"""The receiver as a process: under floods, under SIGTERM and under SIGKILL."""

import asyncio
import hashlib
import hmac
import json
import resource
import sys
from asyncio.subprocess import PIPE, Process
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path

import pytest

from hub.bus.schema import MIGRATIONS
from hub.bus.sqlite import SqliteBus
from hub.sqlite import Database

ROOT = Path(__file__).parents[2]
KEY = b"k" * 32
PUSH = (ROOT / "tests/data/github/real/octokit__webhooks.js/push-payload.json").read_bytes()
PATIENCE_SECONDS = 60.0
MIB = 1024 * 1024


@dataclass(frozen=True, slots=True, kw_only=True)
class Running:
    process: Process
    receiver: int
    admin: int

    def most_memory(self) -> int:
        """Return the most bytes that the process has had in memory so far."""
        status = Path(f"/proc/{self.process.pid}/status").read_text("ascii")
        (line,) = (line for line in status.splitlines() if line.startswith("VmHWM:"))
        return int(line.split()[1]) * 1024


@asynccontextmanager
async def running(folder: Path) -> AsyncIterator[Running]:
    (folder / "github.key").write_bytes(KEY)
    program = Path(__file__).with_name("receiver_program.py")
    process = await asyncio.create_subprocess_exec(
        sys.executable, str(program), str(folder), stdout=PIPE, stderr=PIPE, cwd=ROOT,
        env={"PYTHONPATH": str(ROOT)},
    )  # fmt: skip
    assert process.stdout is not None
    try:
        ports = json.loads(await process.stdout.readline())
        yield Running(process=process, **ports)
    finally:
        if process.returncode is None:
            process.terminate()
        await process.communicate()


@pytest.fixture
def many_files() -> Iterator[int]:
    """Let this process open as many files as it may; return how many."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))
    yield hard
    resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))


def delivery(delivery_id: str, body: bytes = PUSH) -> bytes:
    signature = hmac.new(KEY, body, hashlib.sha256).hexdigest()
    head = (
        "POST /webhooks/github HTTP/1.1\r\nHost: hub\r\nContent-Type: application/json\r\n"
        f"X-GitHub-Event: push\r\nX-GitHub-Delivery: {delivery_id}\r\n"
        f"X-Hub-Signature-256: sha256={signature}\r\nContent-Length: {len(body)}\r\n\r\n"
    )
    return head.encode() + body


async def status_of(reader: asyncio.StreamReader) -> int:
    async with asyncio.timeout(PATIENCE_SECONDS):
        head = (await reader.readuntil(b"\r\n\r\n")).decode()
        _, _, rest = head.lower().partition("content-length: ")
        await reader.readexactly(int(rest.partition("\r\n")[0]))
    return int(head[9:12])


async def ask(port: int, octets: bytes) -> int:
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    try:
        writer.write(octets)
        return await status_of(reader)
    finally:
        writer.close()


async def healthy(port: int) -> bool:
    return await ask(port, b"GET /healthz HTTP/1.1\r\nHost: hub\r\n\r\n") == 200


async def test_5000_idle_connections_hurt_neither_health_nor_those_who_were_there_before(
    tmp_path: Path, many_files: int
) -> None:
    """T18."""
    count = min(5000, many_files - 500)
    async with running(tmp_path) as hub:
        reader, writer = await asyncio.open_connection("127.0.0.1", hub.receiver)
        writer.write(delivery("before"))
        assert await status_of(reader) == 202
        idle = []
        for _ in range(count // 100):
            opened = (asyncio.open_connection("127.0.0.1", hub.receiver) for _ in range(100))
            idle += await asyncio.gather(*opened)
            assert await healthy(hub.admin)
        writer.write(delivery("meanwhile"))
        assert await status_of(reader) == 202
        for _, connection in [*idle, (reader, writer)]:
            connection.close()


@pytest.mark.skipif(sys.platform != "linux", reason="memory is read from /proc")
async def test_a_flood_of_bodies_beyond_the_cap_is_refused_in_bounded_memory(
    tmp_path: Path,
) -> None:
    """C1, T13: none says how long it is."""

    async def flood() -> int:
        reader, writer = await asyncio.open_connection("127.0.0.1", hub.receiver)
        head, _, _ = delivery("d").partition(b"Content-Length")
        writer.write(head + b"Transfer-Encoding: chunked\r\n\r\n")
        chunk = b"100000\r\n" + b"x" * MIB + b"\r\n"
        try:
            for _ in range(26):
                writer.write(chunk)
                await writer.drain()
            return await status_of(reader)
        except (ConnectionError, asyncio.IncompleteReadError):
            return 0
        finally:
            writer.close()

    async with running(tmp_path) as hub:
        assert await ask(hub.receiver, delivery("before")) == 202
        before = hub.most_memory()
        statuses = await asyncio.gather(*(flood() for _ in range(30)))
        grown = hub.most_memory() - before

        assert set(statuses) <= {0, 413, 503}
        assert grown < 200 * MIB
        assert await ask(hub.receiver, delivery("after")) == 202


async def test_every_202_before_a_sigkill_is_on_the_log(tmp_path: Path) -> None:
    """T1: twenty senders are in the middle of it as the process goes."""
    accepted: set[str] = set()

    async def send(sender: int) -> None:
        reader, writer = await asyncio.open_connection("127.0.0.1", hub.receiver)
        try:
            for number in range(10_000):
                writer.write(delivery(f"{sender}-{number}"))
                if await status_of(reader) == 202:
                    accepted.add(f"{sender}-{number}")
                if len(accepted) == 300:
                    hub.process.kill()
        except (ConnectionError, asyncio.IncompleteReadError):
            return
        finally:
            writer.close()

    async with running(tmp_path) as hub:
        await asyncio.gather(*(send(sender) for sender in range(20)))
        await hub.process.wait()

    database = await Database.own(tmp_path / "hub.db")
    await database.migrate("bus", MIGRATIONS)
    kept = await SqliteBus(store=database).read(after=None, limit=100_000)
    await database.close()
    assert len(accepted) >= 300
    assert accepted <= {record.envelope.id for record in kept}


async def test_sigterm_lets_an_upload_finish(tmp_path: Path) -> None:
    octets = delivery("last")
    head, end, body = octets.partition(b"\r\n\r\n")
    async with running(tmp_path) as hub:
        reader, writer = await asyncio.open_connection("127.0.0.1", hub.receiver)
        writer.write(head + b"\r\nExpect: 100-continue" + end + body[:-100])
        assert await reader.readuntil(b"\r\n\r\n") == b"HTTP/1.1 100 Continue\r\n\r\n"
        hub.process.terminate()
        writer.write(body[-100:])
        status = await status_of(reader)
        writer.close()
        code = await asyncio.wait_for(hub.process.wait(), PATIENCE_SECONDS)

    assert (status, code) == (202, 0)
