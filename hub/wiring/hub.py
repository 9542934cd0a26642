"""A process of the hub: what it is built of, and the order in which it starts and stops."""

import asyncio
from contextlib import AsyncExitStack
from types import TracebackType
from typing import Self

import structlog

from hub.bus.interface import Bus
from hub.configuration import SqliteAddress, bus_address
from hub.errors import SettingsError, StorageError
from hub.journal.interface import Journal
from hub.receiver.admin import Admin
from hub.receiver.doors import open_doors
from hub.receiver.server import Receiver
from hub.secrets import Learn
from hub.settings import Settings
from hub.telemetry.metrics import new_metrics
from hub.views.backlog import BacklogView
from hub.wiring.clock import SYSTEM_CLOCKS, Clocks
from hub.wiring.engines import Engines
from hub.wiring.role import Role
from hub.wiring.tasks import Tasks

DRAIN_SECONDS = 20.0
"""For requests and runs in flight to end at a stop: less than the 30 s after which Kubernetes
kills."""

DISK_SECONDS = 5.0
"""Between two looks whether a file can still be written."""

_log = structlog.get_logger()


class Hub:
    """One process of the hub. Entering it opens the doors; leaving it stops in order."""

    bus: Bus
    """The log, once entered."""
    journal: Journal
    """The journal, once entered in a role that works."""
    backlog: BacklogView
    """How much is still to be done, once entered in a role that works."""

    def __init__(
        self,
        settings: Settings,
        *,
        learn: Learn,
        clocks: Clocks = SYSTEM_CLOCKS,
        role: Role = Role.ALL,
    ) -> None:
        """Keep the settings; nothing is opened yet. `learn` is told of every secret."""
        self._settings = settings
        self._learn = learn
        self._clocks = clocks
        self._role = role
        self._metrics = new_metrics()
        self._stack = AsyncExitStack()
        self._tasks = Tasks(self._stack)
        self._stopping = False
        self._stop_by = 0.0
        self.port = 0
        """The receiver's port, once entered; 0 where the role has none."""
        self.admin_port = 0
        """The port of health and metrics, once entered."""

    async def __aenter__(self) -> Self:
        """Open everything. Raises SettingsError and StorageError."""
        try:
            await self._open()
        except BaseException:
            await self._stack.aclose()
            raise
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        """Shut the doors, let what runs end, give back what takes longer, and close the files."""
        self._stopping = True
        self._stop_by = asyncio.get_running_loop().time() + DRAIN_SECONDS
        await self._stack.aclose()
        _log.info("hub_stopped")

    async def serve_until(self, stop: asyncio.Event) -> None:
        """Work until `stop` is set. Raises what has ended one of the hub's own tasks."""
        await self._tasks.run_until(stop)

    async def _open(self) -> None:
        _refuse_lonely(self._role, self._settings)
        engines = Engines(
            self._settings,
            stack=self._stack,
            tasks=self._tasks,
            learn=self._learn,
            clocks=self._clocks,
        )
        if self._role.works:
            await self._begin_to_work(engines)
        else:
            self.bus = await engines.open_bus(spooling=True)
        self._tasks.start(_watch_disk(engines), "disk")
        await self._open_admin()
        doors = await self._open_receiver() if self._role.receives else []
        _log.info(
            "hub_started",
            role=self._role,
            port=self.port,
            admin_port=self.admin_port,
            doors=doors,
        )

    async def _begin_to_work(self, engines: Engines) -> None:
        # A receiver must not even import what handlers need: it has no use for their rights.
        from hub.wiring.working import Work  # noqa: PLC0415

        work = Work(self._settings, learn=self._learn, clocks=self._clocks)
        self.bus = await engines.open_bus(spooling=self._role.receives)
        self.journal, records = await engines.open_journal()
        self.backlog = await work.begin(
            bus=self.bus,
            kept_here=engines.log_here,
            journal=self.journal,
            records=records,
            metrics=self._metrics,
            stack=self._stack,
            tasks=self._tasks,
            seconds_left=self._seconds_left,
        )

    async def _open_admin(self) -> None:
        admin = Admin(
            settings=self._settings.admin,
            health={"tasks": self._tasks_live},
            readiness={"log": self._log_writable},
            registry=self._metrics.registry,
        )
        self._stack.push_async_callback(admin.stop)
        self.admin_port = await admin.start()

    async def _open_receiver(self) -> list[str]:
        doors = open_doors(self._settings.receiver, learn=self._learn)
        if not doors:
            _log.warning("no_door_is_open", why="no key is set under receiver in the settings")
        receiver = Receiver(
            settings=self._settings.receiver,
            bus=self.bus,
            doors=doors,
            metrics=self._metrics.receiver,
        )
        self._stack.push_async_callback(receiver.stop)
        self.port = await receiver.start()
        return [door.name for door in doors]

    def _seconds_left(self) -> float:
        """Return what the requests before them have left of the time to runs in flight."""
        return self._stop_by - asyncio.get_running_loop().time()

    async def _tasks_live(self) -> str | None:
        ended = self._tasks.ended()
        return f"{', '.join(ended)} ended" if ended else None

    async def _log_writable(self) -> str | None:
        if self._stopping:
            return "the hub is stopping"
        try:
            await self.bus.check()
        except StorageError as error:
            return str(error)
        return None


def _refuse_lonely(role: Role, settings: Settings) -> None:
    """Refuse a role that shares its log with others where one process owns it."""
    if role is not Role.ALL and isinstance(bus_address(settings.bus), SqliteAddress):
        problem = (
            f"bus: a {role} shares the log with other processes, and one in SQLite belongs to one: "
            "name kafka://HOST:PORT, or serve without --role"
        )
        raise SettingsError([problem])


async def _watch_disk(engines: Engines) -> None:
    """End the hub where its disk has failed.

    What is really on the disk is known only to a process that opens the file anew. Raises
    StorageError.
    """
    while not engines.disk_failed:  # noqa: ASYNC110  the disk does not tell by itself
        await asyncio.sleep(DISK_SECONDS)
    raise StorageError("the disk has failed; the hub has to be started again")
