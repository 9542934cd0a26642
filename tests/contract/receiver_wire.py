"""The receiver on a port of its own, and senders that speak HTTP byte by byte."""

import asyncio
import base64
import hashlib
import hmac
import json
import time
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Self, cast

import structlog
from aiohttp.web import RequestHandler
from structlog.testing import LogCapture

from hub.bus.interface import Bus, Receipt, Record
from hub.bus.schema import MIGRATIONS
from hub.bus.sqlite import SqliteBus
from hub.errors import StorageError
from hub.events.envelope import Envelope
from hub.receiver.doors import Door, open_doors
from hub.receiver.limits import Limits
from hub.receiver.metrics import Mishap, Outcome
from hub.receiver.server import Receiver
from hub.settings import Door as DoorSettings
from hub.settings import EventsDoor, Key, ReceiverSettings, Secret
from hub.sqlite import Database

PATIENCE_SECONDS = 20.0
"""How long a test waits for what has to come."""

GITHUB_KEY = "g" * 32
ARGOCD_KEY = "a" * 32
TEKTON_KEY = "t-unguessable-path-segment-t"
BEARER_KEY = "b" * 32
SIGNING_KEY = b"s" * 32
PUSH = (
    Path(__file__).parents[1] / "data/github/real/octokit__webhooks.js/push-payload.json"
).read_bytes()

Headers = Sequence[tuple[str, str]]


@dataclass(frozen=True, slots=True, kw_only=True)
class Answer:
    """What a sender reads."""

    status: int
    headers: dict[str, str]
    body: bytes

    @property
    def content(self) -> Any:
        return json.loads(self.body)


@dataclass(slots=True)
class Wire:
    """One connection."""

    reader: asyncio.StreamReader
    writer: asyncio.StreamWriter

    @classmethod
    async def open(cls, port: int) -> Self:
        return cls(*await asyncio.open_connection("127.0.0.1", port))

    async def send(self, octets: bytes) -> None:
        self.writer.write(octets)
        await self.writer.drain()

    async def answer(self) -> Answer:
        async with asyncio.timeout(PATIENCE_SECONDS):
            head = (await self.reader.readuntil(b"\r\n\r\n")).decode("latin-1")
            first, *lines = head.rstrip("\r\n").split("\r\n")
            headers = {
                name.lower(): value.strip()
                for name, _, value in (line.partition(":") for line in lines)
            }
            body = await self.reader.readexactly(int(headers.get("content-length", "0")))
        return Answer(status=int(first.split(" ")[1]), headers=headers, body=body)

    async def exchange(self, octets: bytes) -> Answer:
        await self.send(octets)
        return await self.answer()

    async def is_cut(self) -> bool:
        """Wait until the other side closes; False where it says something first."""
        async with asyncio.timeout(PATIENCE_SECONDS):
            try:
                return await self.reader.read(1) == b""
            except ConnectionResetError:
                return True

    async def close(self) -> None:
        self.writer.close()
        try:
            await self.writer.wait_closed()
        except (ConnectionResetError, BrokenPipeError):
            return


def request(
    path: str,
    body: bytes = b"",
    headers: Headers = (),
    *,
    method: str = "POST",
    length: int | None = None,
) -> bytes:
    """Write a request; `length` lies about the body where it is given."""
    lines = [
        f"{method} {path} HTTP/1.1",
        "Host: hub",
        *(f"{name}: {value}" for name, value in headers),
        f"Content-Length: {len(body) if length is None else length}",
    ]
    return "\r\n".join([*lines, "", ""]).encode() + body


def chunked(path: str, body: bytes, headers: Headers = (), *, chunk: int = 65536) -> bytes:
    """Write a request whose length is not told beforehand."""
    head = ["POST " + path + " HTTP/1.1", "Host: hub"]
    head += [f"{name}: {value}" for name, value in headers]
    head += ["Transfer-Encoding: chunked", "", ""]
    pieces = [body[at : at + chunk] for at in range(0, len(body), chunk)]
    framed = b"".join(b"%x\r\n%s\r\n" % (len(piece), piece) for piece in pieces)
    return "\r\n".join(head).encode() + framed + b"0\r\n\r\n"


def signature(body: bytes, key: str = GITHUB_KEY) -> str:
    return "sha256=" + hmac.new(key.encode(), body, hashlib.sha256).hexdigest()


def github_headers(
    body: bytes = PUSH, *, delivery: str = "d-1", event: str = "push", key: str = GITHUB_KEY
) -> list[tuple[str, str]]:
    """Write the headers that GitHub sends with a body."""
    return [
        ("Content-Type", "application/json"),
        ("X-GitHub-Event", event),
        ("X-GitHub-Delivery", delivery),
        ("X-Hub-Signature-256", signature(body, key)),
    ]


def github(body: bytes = PUSH, **given: str) -> bytes:
    """Write a delivery as GitHub does."""
    return request("/webhooks/github", body, github_headers(body, **given))


def cloud_event(
    data: bytes = b'{"some": "data"}', *, token: str = BEARER_KEY, **attributes: str
) -> bytes:
    """Write a CloudEvent in binary mode."""
    given = {"id": "e-1", "source": "/someone", "type": "com.example.happened", **attributes}
    headers = [(f"ce-{name}", value) for name, value in given.items()]
    headers += [
        ("ce-specversion", "1.0"),
        ("Content-Type", "application/json"),
        ("Authorization", f"Bearer {token}"),
    ]
    return request("/events", data, headers)


def tekton(path: str) -> bytes:
    """Write what Tekton sends when a run has ended well."""
    body = {"pipelineRun": {"metadata": {"name": "ci-1", "namespace": "builds", "uid": "u-1"}}}
    return request(
        path,
        json.dumps(body).encode(),
        [
            ("Content-Type", "application/json"),
            ("ce-specversion", "1.0"),
            ("ce-id", "9f1c"),
            ("ce-source", "/apis///namespaces/builds//ci-1"),
            ("ce-type", "dev.tekton.event.pipelinerun.successful.v1"),
        ],
    )


@dataclass(slots=True)
class Counted:
    """Metrics that remember."""

    answers: list[tuple[str, Outcome, int, int]] = field(default_factory=list)
    keys: list[str] = field(default_factory=list)
    stores: list[str] = field(default_factory=list)
    mishaps: list[Mishap] = field(default_factory=list)
    changed: asyncio.Event = field(default_factory=asyncio.Event)

    def answered(self, *, door: str, outcome: Outcome, status: int, body_bytes: int) -> None:
        self.answers.append((door, outcome, status, body_bytes))
        self.changed.set()

    def verified(self, *, door: str, key: str) -> None:
        self.keys.append(f"{door}/{key}")

    def stored(self, *, door: str, seconds: float) -> None:
        assert seconds >= 0
        self.stores.append(door)

    def cut(self, *, reason: Mishap) -> None:
        self.mishaps.append(reason)
        self.changed.set()


class Appending:
    """A log with a hand on it: it can be held, and it can be full."""

    def __init__(self, bus: Bus) -> None:
        self._bus = bus
        self.full = False
        self.open = asyncio.Event()
        self.open.set()
        self.waiting = asyncio.Event()

    async def append(self, events: Sequence[Envelope]) -> Sequence[Receipt]:
        self.waiting.set()
        await self.open.wait()
        if self.full:
            raise StorageError("database or disk is full")
        return await self._bus.append(events)

    def __getattr__(self, name: str) -> Any:
        return getattr(self._bus, name)


@dataclass(frozen=True, slots=True, kw_only=True)
class World:
    """A receiver that runs, and what it leaves behind."""

    receiver: Receiver
    port: int
    bus: Appending
    counted: Counted
    lines: LogCapture
    limits: Limits

    @asynccontextmanager
    async def wire(self) -> AsyncIterator[Wire]:
        wire = await Wire.open(self.port)
        try:
            yield wire
        finally:
            await wire.close()

    async def exchange(self, octets: bytes) -> Answer:
        async with self.wire() as wire:
            return await wire.exchange(octets)

    async def records(self) -> Sequence[Record]:
        return await self.bus.read(after=None, limit=1000)  # type: ignore[no-any-return]

    async def events(self) -> list[Envelope]:
        return [record.envelope for record in await self.records()]

    def connections(self) -> Sequence[RequestHandler]:
        """Return the server's side of every open connection."""
        server = self.receiver._listener._server
        return server.connections if server else ()

    async def eventually(self, true: Callable[[], bool]) -> None:
        """Wait until something holds that the receiver counts."""
        async with asyncio.timeout(PATIENCE_SECONDS):
            while not true():
                self.counted.changed.clear()
                await self.counted.changed.wait()


def write_key(folder: Path, name: str, secret: str) -> Secret:
    file = folder / name
    file.write_text(secret, "utf-8")
    return Secret(file=file)


def settings(folder: Path, **doors: Any) -> ReceiverSettings:
    """Every door with one key, but for those given otherwise."""

    def door(name: str, secret: str) -> DoorSettings:
        return DoorSettings(keys=(Key(id=f"{name}-1", secret=write_key(folder, name, secret)),))

    whsec = "whsec_" + base64.b64encode(SIGNING_KEY).decode()
    given = {
        "github": door("github", GITHUB_KEY),
        "argocd": door("argocd", ARGOCD_KEY),
        "tekton": door("tekton", TEKTON_KEY),
        "events": EventsDoor(
            bearer=(Key(id="bearer-1", secret=write_key(folder, "bearer", BEARER_KEY)),),
            signing=(Key(id="signing-1", secret=write_key(folder, "signing", whsec)),),
        ),
        **doors,
    }
    return ReceiverSettings(port=0, **given)


@asynccontextmanager
async def receiving(
    folder: Path,
    *,
    limits: Limits | None = None,
    configured: ReceiverSettings | None = None,
    change_door: Callable[[Door], Door] = lambda door: door,
    wall: Callable[[], float] = time.time,
    monotonic: Callable[[], float] = time.monotonic,
) -> AsyncIterator[World]:
    """Run a receiver on a log of its own."""
    configured = configured or settings(folder)
    lines = LogCapture()
    counted = Counted()
    async with sqlite_bus(folder) as stored:
        bus = Appending(stored)
        receiver = Receiver(
            settings=configured,
            bus=cast("Bus", bus),
            doors=[change_door(door) for door in open_doors(configured)],
            metrics=counted,
            limits=limits or Limits(),
            log=structlog.wrap_logger(None, processors=[lines]),
            wall=wall,
            monotonic=monotonic,
        )
        port = await receiver.start()
        try:
            yield World(
                receiver=receiver,
                port=port,
                bus=bus,
                counted=counted,
                lines=lines,
                limits=limits or Limits(),
            )
        finally:
            bus.open.set()
            await receiver.stop()


@asynccontextmanager
async def sqlite_bus(folder: Path) -> AsyncIterator[SqliteBus]:
    database = await Database.own(folder / "hub.db")
    try:
        await database.migrate("bus", MIGRATIONS)
        yield SqliteBus(store=database)
    finally:
        await database.close()
