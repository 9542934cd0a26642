"""The one place that builds objects and passes them to each other. It decides nothing."""

import asyncio
import random
import time
from collections.abc import AsyncIterator, Callable, Coroutine, Sequence
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass
from importlib import import_module
from importlib.metadata import entry_points
from types import TracebackType
from typing import Any, Self
from urllib.parse import urlsplit

import structlog

from handlers import HANDLERS
from hub.actions.action import Performers
from hub.actions.argocd import ReadApplication
from hub.actions.github import SetCommitStatus
from hub.actions.gitops import BumpImage, ReadImage
from hub.actions.hub import FindRevision
from hub.actions.pagerduty import ResolveIncident, SendChangeEvent, TriggerIncident
from hub.actions.slack import KeepMessage, ReplyInThread
from hub.actions.tekton import ReadPipelineRun, StartPipelineRun
from hub.bus.schema import MIGRATIONS as BUS_MIGRATIONS
from hub.bus.sqlite import SqliteBus
from hub.clients.argocd import ArgoCD
from hub.clients.github import GitHub
from hub.clients.gitops import Gitops
from hub.clients.http import Http
from hub.clients.kubernetes import Kubernetes
from hub.clients.pagerduty import PagerDuty
from hub.clients.slack import Slack
from hub.clients.tekton import Tekton
from hub.configuration import sqlite_path
from hub.dispatch.attempt import Attempts
from hub.dispatch.handler import Handler
from hub.dispatch.own_actions import OwnActions
from hub.dispatch.platform import Platform
from hub.dispatch.retry import RetryPolicy
from hub.dispatch.router import Router
from hub.dispatch.runner import Runner
from hub.errors import SettingsError, StorageError
from hub.journal.interface import Records
from hub.journal.records import SqliteRecords
from hub.journal.schema import MIGRATIONS as JOURNAL_MIGRATIONS
from hub.journal.sqlite import SqliteJournal
from hub.receiver.admin import Admin
from hub.receiver.doors import open_doors
from hub.receiver.server import Receiver
from hub.secrets import SecretPlace
from hub.settings import DispatchSettings, GitHubSettings, KubernetesSettings, Secret, Settings
from hub.sqlite import Database
from hub.telemetry.metrics import Metrics
from hub.telemetry.watchdog import Watchdog, running

wall_clock: Callable[[], float] = time.time

ENTRY_POINT_GROUP = "trunkline.handlers"
"""Where a package of yours publishes a tuple of handlers."""

DRAIN_SECONDS = 20.0
"""For runs in flight to end at a stop: less than the 30 s after which Kubernetes kills."""

_log = structlog.get_logger()


def installed_handlers(settings: DispatchSettings) -> tuple[Handler, ...]:
    """Return the built-in handlers, those of the configured module, and those of packages.

    Raises SettingsError where one cannot be imported, is no handler, or has a name that is taken.
    """
    found = [*HANDLERS, *_module_handlers(settings.handlers_module), *_package_handlers()]
    strangers = [repr(one) for one in found if not isinstance(one, Handler)]
    if strangers:
        raise SettingsError([f"not a handler (is `@on` missing?): {', '.join(strangers)}"])
    names = [one.name for one in found]
    twice = sorted({name for name in names if names.count(name) > 1})
    if twice:
        raise SettingsError([f"two handlers are called {name}: rename one" for name in twice])
    return tuple(found)


def _module_handlers(name: str | None) -> tuple[Any, ...]:
    if name is None:
        return ()
    try:
        return tuple(import_module(name).HANDLERS)
    except (ImportError, AttributeError, TypeError) as error:
        problem = f"dispatch.handlers_module: {name} has no tuple HANDLERS ({error})"
        raise SettingsError([problem]) from error


def _package_handlers() -> tuple[Any, ...]:
    found: list[Any] = []
    for point in entry_points(group=ENTRY_POINT_GROUP):
        try:
            found.extend(point.load())
        except (ImportError, AttributeError, TypeError) as error:
            problem = f"the entry point {point.name} = {point.value} gives no handlers ({error})"
            raise SettingsError([problem]) from error
    return tuple(found)


def platform_of(settings: Settings) -> Platform:
    """Return what handlers see of the settings."""
    context = settings.github.status_context if settings.github else "trunkline/ci"
    return Platform.of(settings.platform, status_context=context)


@dataclass(frozen=True, slots=True, kw_only=True)
class Secrets:
    """The credentials for outside systems; None where the settings name none."""

    kubernetes: SecretPlace | None
    gitops: SecretPlace | None
    github: SecretPlace | None
    slack: SecretPlace | None
    pagerduty: SecretPlace | None


def open_secrets(settings: Settings) -> Secrets:
    """Read every secret once. Raises SettingsError with all that cannot be read."""
    problems: list[str] = []

    def place(secret: Secret | None, name: str) -> SecretPlace | None:
        if secret is None:
            return None
        try:
            return SecretPlace(secret, name=name)
        except SettingsError as error:
            problems.extend(error.problems)
            return None

    secrets = Secrets(
        kubernetes=place(settings.kubernetes and settings.kubernetes.token, "kubernetes.token"),
        gitops=place(settings.gitops and settings.gitops.token, "gitops.token"),
        github=place(settings.github and settings.github.token, "github.token"),
        slack=place(settings.slack and settings.slack.token, "slack.token"),
        pagerduty=place(
            settings.pagerduty and settings.pagerduty.routing_key, "pagerduty.routing_key"
        ),
    )
    try:
        open_doors(settings.receiver)
    except SettingsError as error:
        problems.extend(error.problems)
    if problems:
        raise SettingsError(problems)
    return secrets


def _link_hosts(settings: Settings) -> tuple[str, ...]:
    urls = (settings.platform.run_url, settings.platform.application_url)
    return tuple(urlsplit(url).hostname or "" for url in urls if url)


@asynccontextmanager
async def _outside(
    settings: Settings, secrets: Secrets, records: Records
) -> AsyncIterator[dict[Any, Any]]:
    """Open the clients that the settings name, and yield which action is performed by which."""
    async with AsyncExitStack() as stack:
        http = await stack.enter_async_context(Http())
        performers: dict[Any, Any] = {}
        github = GitHub(
            settings=settings.github or GitHubSettings(), http=http, token=secrets.github
        )
        if settings.github:
            performers[SetCommitStatus] = github.set_status
        if settings.kubernetes:
            performers |= _cluster(settings.kubernetes, secrets, http)
        if settings.gitops:
            gitops = Gitops(
                settings=settings.gitops, order=github, state=settings.state, token=secrets.gitops
            )
            stack.push_async_callback(gitops.close)
            performers |= {BumpImage: gitops.bump, ReadImage: gitops.read}
        if settings.slack and secrets.slack:
            slack = Slack(
                settings=settings.slack,
                http=http,
                token=secrets.slack,
                records=records,
                link_hosts=_link_hosts(settings),
            )
            performers |= {KeepMessage: slack.keep, ReplyInThread: slack.reply}
        if settings.pagerduty and secrets.pagerduty:
            pagerduty = PagerDuty(
                settings=settings.pagerduty, http=http, routing_key=secrets.pagerduty
            )
            performers |= {
                TriggerIncident: pagerduty.trigger,
                ResolveIncident: pagerduty.resolve,
                SendChangeEvent: pagerduty.change,
            }
        yield performers


def _cluster(settings: KubernetesSettings, secrets: Secrets, http: Http) -> dict[Any, Any]:
    kubernetes = Kubernetes(settings=settings, http=http, token=secrets.kubernetes)
    tekton = Tekton(settings=settings, kubernetes=kubernetes)
    return {
        StartPipelineRun: tekton.start,
        ReadPipelineRun: tekton.read,
        ReadApplication: ArgoCD(kubernetes).read,
    }


@asynccontextmanager
async def reading_performers(settings: Settings) -> AsyncIterator[Performers]:
    """Open what a dry run looks at the world with: only the actions that read."""
    file = await Database.visit(sqlite_path(settings.journal))
    try:
        records = SqliteRecords(store=file)
        own = OwnActions(
            bus=SqliteBus(store=file),
            records=records,
            instance=settings.instance,
            clock=wall_clock,
        )
        async with _outside(settings, open_secrets(settings), records) as performers:
            everything = {**performers, FindRevision: own.find_revision}
            yield {action: do for action, do in everything.items() if action.reads}
    finally:
        await file.close()


class Hub:
    """The whole hub in one process. Entering it opens the doors; leaving it stops in order."""

    def __init__(self, settings: Settings, *, metrics: Metrics | None = None) -> None:
        """Keep the settings; nothing is opened yet."""
        self._settings = settings
        self._metrics = metrics or Metrics()
        self._stack = AsyncExitStack()
        self._tasks: list[asyncio.Task[None]] = []
        self._stopping = False
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
        secrets = open_secrets(settings)
        files = await self._open_files()
        self.bus = SqliteBus(store=files.bus)
        self.journal = SqliteJournal(store=files.journal, clock=wall_clock)
        await self.journal.recover()
        records = SqliteRecords(store=files.journal)
        own = OwnActions(
            bus=self.bus, records=records, instance=settings.instance, clock=wall_clock
        )
        performers = await stack.enter_async_context(_outside(settings, secrets, records))
        await stack.enter_async_context(Watchdog(count=self._metrics.loop_blocked))
        runner = self._runner(handlers, {**performers, **own.performers()}, own)
        router = Router(bus=self.bus, journal=self.journal, handlers=handlers)
        self._run(runner.run(), "runner")
        stack.push_async_callback(runner.stop, within_seconds=DRAIN_SECONDS)
        stack.push_async_callback(_cancel, self._run(router.run(), "router"))
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
        receiver = Receiver(
            settings=settings.receiver,
            bus=self.bus,
            doors=open_doors(settings.receiver),
            metrics=self._metrics.receiver,
        )
        self._stack.push_async_callback(receiver.stop)
        self.port = await receiver.start()
        _log.info("hub_started", port=self.port, admin_port=self.admin_port)

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
                clock=wall_clock,
                chance=random.Random(),  # noqa: S311  # jitter is no secret
            ),
            concurrency=dispatch.concurrency,
            worker=self._settings.instance,
            bury=own.bury,
            running=running,
            metrics=self._metrics.dispatch,
        )

    def _run(self, work: Coroutine[Any, Any, None], name: str) -> asyncio.Task[None]:
        task = asyncio.create_task(work, name=name)
        self._tasks.append(task)
        return task

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


async def _cancel(task: asyncio.Task[None]) -> None:
    task.cancel()
    await asyncio.wait([task])
