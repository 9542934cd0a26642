"""`trunkline serve` as a process of its own, for tests that kill, stop and starve it."""

import asyncio
import json
import os
import signal
import socket
import sys
from asyncio.subprocess import Process
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping, Sequence
from contextlib import AsyncExitStack, asynccontextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Self, TypeVar

import aiohttp

from hub.bus.interface import Bus
from hub.configuration import load
from hub.dispatch.router import GROUP
from hub.journal.interface import Journal, RunState
from hub.telemetry.redaction import Redactor
from hub.wiring.clock import SYSTEM_CLOCKS
from hub.wiring.engines import Engines
from hub.wiring.role import Role

T = TypeVar("T")

ROOT = Path(__file__).parents[2]

PATIENCE_SECONDS = 60.0
"""Then something is stuck, whatever the machine is busy with."""

_LOOK_SECONDS = 0.02
_HOST = "127.0.0.1"
_UNDER_WAY = (RunState.READY, RunState.RUNNING, RunState.RETRYING, RunState.WAITING)


async def eventually(
    holds: Callable[[], Awaitable[T]], *, within_seconds: float = PATIENCE_SECONDS
) -> T:
    """Look until it holds, and return what was found. The one place here that waits by looking."""
    async with asyncio.timeout(within_seconds):
        while not (found := await holds()):
            await asyncio.sleep(_LOOK_SECONDS)
        return found


async def let_pass(seconds: float) -> None:
    """Let time go by, where time is what is tested and not what is waited for."""
    loop = asyncio.get_running_loop()
    until = loop.time() + seconds

    async def passed() -> bool:
        return loop.time() >= until

    await eventually(passed, within_seconds=seconds + PATIENCE_SECONDS)


@dataclass(frozen=True, slots=True, kw_only=True)
class Done:
    """A command that has ended."""

    code: int
    said: str
    complained: str

    @property
    def documents(self) -> list[Any]:
        """What it said with `--json`."""
        return [json.loads(line) for line in self.said.splitlines()]


@dataclass(frozen=True, slots=True, kw_only=True)
class Files:
    """The log and the journal, looked at from beside the hub."""

    bus: Bus
    journal: Journal
    lag: Callable[[], Awaitable[int]]
    """How many events are not routed yet."""

    async def quiet(self) -> bool:
        """Whether the hub has nothing left to do by itself."""
        lag = await self.lag()
        counts = await self.journal.counts()
        return lag == 0 and not any(counts.get(state) for state in _UNDER_WAY)

    async def event_ids(self) -> list[str]:
        """Return the ids of all events, in the order of the log."""
        return [record.envelope.id for record in await self.bus.read(after=None, limit=1_000_000)]


WriteSettings = Callable[[Path, int, int], None]
"""Writes the settings of a hub into a file, given its two ports."""


class Served:
    """One hub, in one life after the other: the same ports, the same file."""

    def __init__(
        self, folder: Path, write_settings: WriteSettings, *, role: Role = Role.ALL
    ) -> None:
        self.folder = folder
        self.role = role
        self.config = folder / "trunkline.yaml"
        self.log = folder / "hub.log"
        self.environment = {
            "PATH": os.environ["PATH"],
            "PYTHONPATH": os.pathsep.join([str(ROOT), str(Path(__file__).parent)]),
        }
        self._places = [_place(), _place()]
        self.port, self.admin_port = (place.getsockname()[1] for place in self._places)
        write_settings(self.config, self.port, self.admin_port)
        self._process: Process | None = None

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(self, *_error: object) -> None:
        if self._process is not None and self._process.returncode is None:
            await self.kill()
        for place in self._places:
            place.close()

    @property
    def url(self) -> str:
        return f"http://{_HOST}:{self.port}"

    @property
    def process(self) -> Process:
        assert self._process is not None
        return self._process

    async def spawn(self, *, under: Sequence[str] = ()) -> None:
        """Begin a life, `under` another program where one is named."""
        with self.log.open("ab") as log:
            self._process = await asyncio.create_subprocess_exec(
                *(*under, sys.executable, "-m", "hub", "serve", "--role", self.role),
                *("--config", str(self.config)),
                stderr=log,
                cwd=self.folder,
                env=self.environment,
                start_new_session=True,
            )

    async def start(self, *, under: Sequence[str] = ()) -> None:
        """Begin a life, and wait until it says that it is ready."""
        await self.spawn(under=under)
        await self.ready()

    async def ready(self) -> None:
        await eventually(self._is_ready)

    async def _is_ready(self) -> bool:
        assert self.process.returncode is None, self.log.read_text()
        return await self.readiness() == 200

    async def readiness(self) -> int:
        return (await self.ask_admin("/readyz"))[0]

    async def ask_admin(self, path: str) -> tuple[int, str]:
        """Ask the admin port; the status is 0 where nobody answers."""
        timeout = aiohttp.ClientTimeout(total=PATIENCE_SECONDS)
        url = f"http://{_HOST}:{self.admin_port}{path}"
        try:
            async with (
                aiohttp.ClientSession(timeout=timeout) as session,
                session.get(url) as answer,
            ):
                return answer.status, await answer.text()
        except aiohttp.ClientError:
            return 0, ""

    async def kill(self) -> None:
        """SIGKILL, to the process and whatever it has started."""
        with suppress(ProcessLookupError):
            os.killpg(self.process.pid, signal.SIGKILL)
        await self.process.wait()

    def pause(self) -> None:
        """SIGSTOP: it keeps its connections, and does nothing."""
        os.killpg(self.process.pid, signal.SIGSTOP)

    def resume(self) -> None:
        os.killpg(self.process.pid, signal.SIGCONT)

    async def stop(self, number: signal.Signals = signal.SIGTERM) -> int:
        """Ask it to end, and return its exit code."""
        self.process.send_signal(number)
        return await self.ended()

    async def ended(self) -> int:
        return await asyncio.wait_for(self.process.wait(), PATIENCE_SECONDS)

    async def run(self, *arguments: str, **variables: str) -> Done:
        """Run the command line with this hub's settings."""
        environment = {"TRUNKLINE_CONFIG": str(self.config), **variables}
        return await run(*arguments, cwd=self.folder, environment=self.environment | environment)

    def said(self, event: str) -> list[dict[str, Any]]:
        """Return the lines of the log about one kind of event, of all lives."""
        lines = (json.loads(line) for line in self.log.read_bytes().splitlines())
        return [line for line in lines if line["event"] == event]

    @asynccontextmanager
    async def files(self) -> AsyncIterator[Files]:
        """Look at what the hub keeps, as the command line does."""
        async with AsyncExitStack() as stack:
            engines = Engines(
                load(self.config, {}), stack=stack, learn=Redactor().add, clocks=SYSTEM_CLOCKS
            )
            bus = await engines.open_bus()
            journal, _ = await engines.open_journal()

            async def lag() -> int:
                async with bus.subscribe(GROUP) as subscription:
                    return await subscription.lag()

            yield Files(bus=bus, journal=journal, lag=lag)


async def run(*arguments: str, cwd: Path, environment: Mapping[str, str]) -> Done:
    """Run the command line, and return what it said."""
    process = await asyncio.create_subprocess_exec(
        *(sys.executable, "-m", "hub", *arguments),
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.PIPE,
        cwd=cwd,
        env=environment,
    )
    try:
        async with asyncio.timeout(PATIENCE_SECONDS):
            said, complained = await process.communicate()
    finally:
        if process.returncode is None:
            process.kill()
            await process.wait()
    assert process.returncode is not None
    return Done(code=process.returncode, said=said.decode(), complained=complained.decode())


def _place() -> socket.socket:
    """Hold a port that the system has chosen, while the hub that listens on it is dead.

    Otherwise it could be given to an outgoing connection, even one to itself.
    """
    place = socket.socket()
    place.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    place.bind((_HOST, 0))
    return place
