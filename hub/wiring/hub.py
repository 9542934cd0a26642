"""The whole hub in one process: what it is built of, and the order in which it starts and stops."""

import asyncio
import random
from collections.abc import Coroutine, Sequence
from contextlib import AsyncExitStack, suppress
from dataclasses import dataclass
from types import TracebackType
from typing import Any, Self

import structlog

from hub.actions.action import Performers
from hub.bus.schema import MIGRATIONS as BUS_MIGRATIONS
from hub.bus.sqlite import SqliteBus
from hub.configuration import sqlite_path
from hub.dispatch.attempt import Attempts
from hub.dispatch.handler import Handler
from hub.dispatch.own_actions import OwnActions
from hub.dispatch.retry import RetryPolicy
from hub.dispatch.router import GROUP, Router
from hub.dispatch.runner import Runner
from hub.errors import StorageError
from hub.journal.records import SqliteRecords
from hub.journal.schema import MIGRATIONS as JOURNAL_MIGRATIONS
from hub.journal.sqlite import SqliteJournal
from hub.receiver.admin import Admin
from hub.receiver.doors import open_doors
from hub.receiver.server import Receiver
from hub.secrets import Learn
from hub.settings import Settings
from hub.sqlite import Database
from hub.telemetry.metrics import Backlog, new_metrics
from hub.telemetry.watchdog import Watchdog, running
from hub.views.backlog import BacklogView
from hub.wiring.clock import SYSTEM_CLOCKS, Clocks
from hub.wiring.installed import installed_handlers, platform_of
from hub.wiring.outside import open_secrets, outside

DRAIN_SECONDS = 20.0
"""For requests and runs in flight to end at a stop: less than the 30 s after which Kubernetes
kills."""

BACKLOG_SECONDS = 5.0
"""Between two looks at the backlog: fresher than any scrape."""

_log = structlog.get_logger()


class Hub:
    """The whole hub in one process. Entering it opens the doors; leaving it stops in order."""

    def __init__(self, settings: Settings, *, learn: Learn, clocks: Clocks = SYSTEM_CLOCKS) -> None:
        """Keep the settings; nothing is opened yet. `learn` is told of every secret."""
        self._settings = settings
        self._learn = learn
        self._clocks = clocks
        self._metrics = new_metrics()
        self._stack = AsyncExitStack()
        self._tasks: list[asyncio.Task[None]] = []
        self._stopping = False
        self._stop_by = 0.0
        self.port = 0
        """The receiver's port, once entered."""
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
        stopped = asyncio.create_task(stop.wait(), name="stop")
        try:
            await asyncio.wait([stopped, *self._tasks], return_when=asyncio.FIRST_COMPLETED)
        finally:
            stopped.cancel()
        for task in self._tasks:
            if task.done():
                task.result()

    async def _open(self) -> None:
        settings, stack = self._settings, self._stack
        handlers = installed_handlers(settings.dispatch)
        secrets = open_secrets(settings, learn=self._learn)
        files = await self._open_files()
        self.bus = SqliteBus(store=files.bus)
        self.journal = SqliteJournal(store=files.journal, clock=self._clocks.wall)
        await self.bus.recover()
        await self.journal.recover()
        records = SqliteRecords(store=files.journal)
        own = OwnActions(
            bus=self.bus, records=records, instance=settings.instance, clock=self._clocks.wall
        )
        performers = await stack.enter_async_context(
            outside(settings, secrets, records, clocks=self._clocks)
        )
        stack.enter_context(Watchdog(count=self._metrics.loop_blocked.inc))
        runner = self._runner(handlers, {**performers, **own.performers()}, own)
        router = Router(journal=self.journal, handlers=handlers)
        subscription = await stack.enter_async_context(self.bus.subscribe(GROUP))
        stack.push_async_callback(_cancel, self._run(runner.run(), "runner"))
        stack.push_async_callback(self._drain, runner)
        stack.push_async_callback(_cancel, self._run(router.run(subscription), "router"))
        self.backlog = BacklogView(journal=self.journal, subscription=subscription)
        self._metrics.watch(Backlog(runs=self.backlog.runs, lag=self.backlog.lag))
        stack.push_async_callback(_cancel, self._run(_keep_fresh(self.backlog, files), "backlog"))
        await self._open_ports()

    async def _open_files(self) -> "_Files":
        """Open the log's and the journal's file: one file, where they are the same."""
        paths = [sqlite_path(self._settings.bus), sqlite_path(self._settings.journal)]
        opened = {}
        for path in dict.fromkeys(paths):
            opened[path] = await Database.own(path)
            self._stack.push_async_callback(opened[path].close)
        files = _Files(bus=opened[paths[0]], journal=opened[paths[1]])
        await files.bus.migrate("bus", BUS_MIGRATIONS)
        await files.journal.migrate("journal", JOURNAL_MIGRATIONS)
        return files

    async def _open_ports(self) -> None:
        settings = self._settings
        admin = Admin(
            settings=settings.admin,
            health={"tasks": self._tasks_live},
            readiness={"log": self._log_writable},
            registry=self._metrics.registry,
        )
        self._stack.push_async_callback(admin.stop)
        self.admin_port = await admin.start()
        doors = open_doors(settings.receiver, learn=self._learn)
        if not doors:
            _log.warning("no_door_is_open", why="no key is set under receiver in the settings")
        receiver = Receiver(
            settings=settings.receiver,
            bus=self.bus,
            doors=doors,
            metrics=self._metrics.receiver,
        )
        self._stack.push_async_callback(receiver.stop)
        self.port = await receiver.start()
        _log.info(
            "hub_started",
            port=self.port,
            admin_port=self.admin_port,
            doors=[door.name for door in doors],
        )

    def _runner(
        self, handlers: Sequence[Handler], performers: Performers, own: OwnActions
    ) -> Runner:
        dispatch = self._settings.dispatch
        return Runner(
            attempts=Attempts(
                handlers={handler.name: handler for handler in handlers},
                journal=self.journal,
                performers=performers,
                platform=platform_of(self._settings),
                retry=RetryPolicy(
                    attempts=dispatch.retry_attempts,
                    base_seconds=dispatch.retry_base_seconds,
                    cap_seconds=dispatch.retry_cap_seconds,
                ),
                timeout_seconds=dispatch.handler_timeout_seconds,
                clock=self._clocks.wall,
                chance=random.Random(),  # noqa: S311  # jitter is no secret
                metrics=self._metrics.dispatch,
            ),
            concurrency=dispatch.concurrency,
            worker=self._settings.instance,
            bury=own.bury,
            running=running,
        )

    def _run(self, work: Coroutine[Any, Any, None], name: str) -> asyncio.Task[None]:
        task = asyncio.create_task(work, name=name)
        self._tasks.append(task)
        return task

    async def _drain(self, runner: Runner) -> None:
        """Give the runs in flight what the requests before them have left of the time."""
        left = self._stop_by - asyncio.get_running_loop().time()
        await runner.stop(within_seconds=max(0.0, left))

    async def _tasks_live(self) -> str | None:
        ended = [task.get_name() for task in self._tasks if task.done()]
        return f"{', '.join(ended)} ended" if ended else None

    async def _log_writable(self) -> str | None:
        if self._stopping:
            return "the hub is stopping"
        try:
            await self.bus.check()
        except StorageError as error:
            return str(error)
        return None


@dataclass(frozen=True, slots=True, kw_only=True)
class _Files:
    bus: Database
    journal: Database


async def _keep_fresh(backlog: BacklogView, files: _Files) -> None:
    """Keep the figures of the backlog, and end the hub where its disk has failed.

    What is really on the disk is known only to a process that opens the file anew. Raises
    StorageError.
    """
    while not (files.bus.lost or files.journal.lost):
        with suppress(StorageError):
            await backlog.refresh()
        await asyncio.sleep(BACKLOG_SECONDS)
    raise StorageError("the disk has failed; the hub has to be started again")


async def _cancel(task: asyncio.Task[None]) -> None:
    task.cancel()
    await asyncio.wait([task])
