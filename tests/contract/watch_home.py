"""What the watcher's tests share: a log, a reflector on it, a clock that tests move, and a source.

The source is as small as one can be: a PipelineRun's label `state` is its state, and its event's
id is that state of that object. The hub's own sources are told of in tests of their own.
"""

import asyncio
import random
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path

import orjson
from kubernetes_home import RUNS, Home

from hub.bus.schema import MIGRATIONS
from hub.bus.sqlite import SqliteBus
from hub.clients.kubernetes import FoundKind
from hub.errors import Malformed
from hub.events.envelope import Envelope
from hub.sources.interface import Overdue, Seen, Sighting
from hub.sqlite import Database
from hub.telemetry.metrics import new_metrics
from hub.watcher import Memory, Surroundings, Telling, WatchedKind
from hub.watcher.reflector import Reflector

PATIENCE = 60.0
"""Seconds after which something is stuck, whatever the machine is busy with."""

STUCK_SECONDS = 900.0
OLDEST_SECONDS = 30 * 86_400.0
NOON = 1_770_000_000.0


@dataclass
class Time:
    """A clock that stands still until it is moved; whoever sleeps by it is woken then."""

    also: Callable[[float], None] = lambda _seconds: None
    """Told of every move."""
    now: float = NOON
    slept: list[float] = field(default_factory=list)
    _moved: asyncio.Condition = field(default_factory=asyncio.Condition)

    async def sleep(self, seconds: float) -> None:
        self.slept.append(seconds)
        until = self.now + seconds
        async with self._moved:
            await self._moved.wait_for(lambda: self.now >= until)

    async def move(self, seconds: float) -> None:
        self.now += seconds
        self.also(seconds)
        async with self._moved:
            self._moved.notify_all()

    async def hurry(self) -> None:
        """Let nobody sleep for long: move on for whoever sleeps, until cancelled."""
        async with asyncio.timeout(PATIENCE):
            while True:
                await asyncio.sleep(0.01)
                await self.move(1.0)


def see(sighting: Sighting) -> Seen:
    """Read what a test has put there."""
    one = orjson.loads(sighting.body)["metadata"]
    labels = one.get("labels", {})
    state = labels.get("state", "made")
    if state == "unreadable":
        raise Malformed("the state is unreadable")
    waits = state == "waiting"
    return Seen(
        uid=one["uid"],
        events=(_event(one, state, labels.get("at")),),
        overdue=_overdue(one) if waits else None,
        gone=_event(one, "gone", None),
    )


def _overdue(one: dict[str, str]) -> Overdue:
    return Overdue(trouble="waiting", since=NOON, event=_event(one, "stuck", None))


def _event(one: dict[str, str], state: str, at: str | None) -> Envelope:
    return Envelope(
        id=f"{one['uid']}/{state}",
        source=f"/runs/{one['name']}",
        type=f"test.{state}",
        subject=one["name"],
        partitionkey=one["name"],
        time=at,
        data=b"{}",
    )


KIND = FoundKind(resource=RUNS, kind="PipelineRun")


class Watching:
    """A log, and whoever watches the home's PipelineRuns for it."""

    def __init__(self, home: Home, bus: SqliteBus) -> None:
        self.home = home
        self.bus = bus
        self.time = Time(also=self._move_clients)
        self.memory = self.fresh_memory()
        self.metrics = new_metrics()

    def _move_clients(self, seconds: float) -> None:
        self.home.clients.time.now += seconds

    @staticmethod
    def fresh_memory() -> Memory:
        return Memory(stuck_seconds=STUCK_SECONDS, oldest_seconds=OLDEST_SECONDS)

    @property
    def around(self) -> Surroundings:
        return Surroundings(
            cluster="test",
            kubernetes=self.home.clients.kubernetes,
            telling=Telling(self.bus),
            metrics=self.metrics.watcher,
            wall=lambda: self.time.now,
            monotonic=lambda: self.time.now,
            sleep=self.time.sleep,
            chance=random.Random(7),
        )

    def reflector(self) -> Reflector:
        kind = WatchedKind(found=KIND, namespace=self.home.namespace, see=see)
        return Reflector(kind, self.memory, self.around)

    @asynccontextmanager
    async def watched(self) -> AsyncIterator[Reflector]:
        """Watch while the block lasts."""
        reflector = self.reflector()
        async with running(reflector.run(), self.time.hurry()):
            yield reflector

    async def said(self) -> list[str]:
        """Return all that is on the log, as `name state`."""
        records = await self.bus.read(after=None, limit=20_000)
        return [f"{one.envelope.subject} {one.envelope.type[5:]}" for one in records]

    async def until_said(self, *lines: str) -> list[str]:
        """Wait until the log holds these lines, and return all that it holds."""
        return await until(self.said, lambda said: set(lines) <= set(said))

    def counted(self, name: str, **labels: str) -> float:
        """Return a counter of the watcher's, over all its labels but these."""
        return sum(
            sample.value
            for metric in self.metrics.registry.collect()
            for sample in metric.samples
            if sample.name == f"trunkline_watcher_{name}"
            and labels.items() <= sample.labels.items()
        )


async def until(
    look: Callable[[], Awaitable[list[str]]], holds: Callable[[list[str]], bool]
) -> list[str]:
    """Look again and again until what is seen is as it should be, and return it."""
    async with asyncio.timeout(PATIENCE):
        while not holds(seen := await look()):
            await asyncio.sleep(0.01)
    return seen


@asynccontextmanager
async def running(*work: Awaitable[None]) -> AsyncIterator[None]:
    """Have work done while the block lasts; what ends it early ends the block."""
    tasks = [asyncio.ensure_future(one) for one in work]
    try:
        yield
        for task in tasks:
            if task.done():
                task.result()
    finally:
        for task in tasks:
            task.cancel()
        for task in tasks:
            with suppress(asyncio.CancelledError):
                await task


@asynccontextmanager
async def watching(home: Home, folder: Path) -> AsyncIterator[Watching]:
    """Open a log for a home."""
    database = await Database.own(folder / "log.db")
    await database.migrate("bus", MIGRATIONS)
    yield Watching(home, SqliteBus(store=database))
    await database.close()
