"""A test's own events, actions and world, and a hub's dispatch on the real journal."""

import asyncio
import random
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager, nullcontext
from dataclasses import dataclass, field
from pathlib import Path
from typing import ClassVar

from hub.actions.action import Action, Call
from hub.dispatch import Handler
from hub.dispatch.attempt import Attempts
from hub.dispatch.outcome import Dead, Parked
from hub.dispatch.platform import Platform
from hub.dispatch.retry import RetryPolicy
from hub.dispatch.router import Router
from hub.dispatch.runner import Runner
from hub.events.envelope import Envelope
from hub.events.view import View
from hub.journal.interface import Run
from hub.journal.schema import MIGRATIONS
from hub.journal.sqlite import SqliteJournal
from hub.sqlite import Database


class Order(View):
    """A test's event: a number, and how its handler is to behave."""

    types: ClassVar[tuple[str, ...]] = ("test.ordered",)

    number: int
    lane: str = "one"


@dataclass(frozen=True, slots=True, kw_only=True)
class Deliver(Action[str]):
    """A test's effect."""

    name: ClassVar[str] = "test.deliver"
    result: ClassVar[type] = str
    timeout_seconds: ClassVar[float] = 5.0

    what: str

    def supposed(self) -> str:
        return "supposed"


@dataclass(frozen=True, slots=True, kw_only=True)
class Look(Action[int]):
    """A test's read."""

    name: ClassVar[str] = "test.look"
    result: ClassVar[type] = int
    reads: ClassVar[bool] = True

    def supposed(self) -> int:
        return 0


@dataclass(slots=True)
class World:
    """What happened outside, and how it behaves."""

    delivered: list[str] = field(default_factory=list)
    looks: int = 0
    refuse: Callable[[str], Exception | None] = lambda _what: None
    gate: asyncio.Event | None = None

    async def deliver(self, action: Deliver, _call: Call) -> str:
        if self.gate is not None:
            await self.gate.wait()
        if (error := self.refuse(action.what)) is not None:
            raise error
        self.delivered.append(action.what)
        return f"receipt for {action.what}"

    async def look(self, _action: Look, _call: Call) -> int:
        self.looks += 1
        return self.looks


class Seconds:
    """A clock that moves when it is told to."""

    def __init__(self) -> None:
        self.now = 1_000_000.0

    def __call__(self) -> float:
        return self.now


class Counted:
    """What the runner counted."""

    def __init__(self) -> None:
        self.outcomes: list[tuple[str, str]] = []

    def run_ended(self, *, handler: str, outcome: str, seconds: float) -> None:
        assert seconds >= 0
        self.outcomes.append((handler, outcome))

    def step_ended(self, *, action: str, outcome: str, seconds: float) -> None:
        assert seconds >= 0


@dataclass(slots=True)
class Hub:
    """A router's planning and a runner on one journal."""

    journal: SqliteJournal
    router: Router
    world: World
    clock: Seconds
    counted: Counted
    buried: list[Dead | Parked]
    make_runner: Callable[[], Runner]

    async def order(self, number: int, lane: str = "one") -> None:
        event = Envelope(
            id=f"order-{number}",
            source="/test",
            type="test.ordered",
            partitionkey=lane,
            subject=f"order {number}",
            data=f'{{"number": {number}, "lane": "{lane}"}}'.encode(),
        )
        await self.see(event)

    async def see(self, event: Envelope) -> None:
        await self.router.route_envelopes([event])

    async def run(self, number: int) -> Run:
        (run,) = await self.journal.runs(event=("/test", f"order-{number}"))
        return run

    async def work(self) -> None:
        """Execute all that is due."""
        async with asyncio.timeout(20):
            await self.make_runner().drain()


@asynccontextmanager
async def opened(folder: Path, *handlers: Handler, concurrency: int = 10) -> AsyncIterator[Hub]:
    database = await Database.own(folder / "journal.db")
    await database.migrate("journal", MIGRATIONS)
    clock, world, counted = Seconds(), World(), Counted()
    buried: list[Dead | Parked] = []
    journal = SqliteJournal(store=database, clock=clock)
    await journal.recover()

    async def bury(_claim: object, outcome: Dead | Parked) -> None:
        buried.append(outcome)

    def make_runner() -> Runner:
        return Runner(
            attempts=Attempts(
                handlers={handler.name: handler for handler in handlers},
                journal=journal,
                performers={Deliver: world.deliver, Look: world.look},
                platform=Platform(),
                retry=RetryPolicy(attempts=3, base_seconds=10.0, cap_seconds=60.0),
                timeout_seconds=5.0,
                clock=clock,
                chance=random.Random(1),
                metrics=counted,
            ),
            concurrency=concurrency,
            worker="test",
            bury=bury,
            running=lambda _handler: nullcontext(),
        )

    try:
        yield Hub(
            journal=journal,
            router=Router(journal=journal, handlers=handlers),
            world=world,
            clock=clock,
            counted=counted,
            buried=buried,
            make_runner=make_runner,
        )
    finally:
        await database.close()
