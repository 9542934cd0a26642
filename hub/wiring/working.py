"""What runs handlers, built of its parts. A receiver does without all of it."""

import asyncio
import random
from collections.abc import Callable, Sequence
from contextlib import AsyncExitStack, suppress

from hub.actions.action import Performers
from hub.bus.interface import Bus
from hub.dispatch.attempt import Attempts
from hub.dispatch.handler import Handler
from hub.dispatch.own_actions import OwnActions
from hub.dispatch.retry import RetryPolicy
from hub.dispatch.router import GROUP, Router
from hub.dispatch.runner import Runner
from hub.errors import StorageError
from hub.journal.interface import Journal, Records
from hub.secrets import Learn
from hub.settings import Settings
from hub.telemetry.metrics import Backlog, Metrics
from hub.telemetry.watchdog import Watchdog, running
from hub.views.backlog import BacklogView
from hub.wiring.clock import Clocks
from hub.wiring.installed import installed_handlers, platform_of
from hub.wiring.outside import outside
from hub.wiring.retention import PrunedLog, keep_tidy
from hub.wiring.role import process_name
from hub.wiring.secrets import open_secrets
from hub.wiring.tasks import Tasks
from hub.wiring.watching import watching

BACKLOG_SECONDS = 5.0
"""Between two looks at the backlog: fresher than any scrape."""


class Work:
    """The router and the runner of a process, and what they need of the outside."""

    def __init__(self, settings: Settings, *, learn: Learn, clocks: Clocks) -> None:
        """Read the handlers and the secrets. Raises SettingsError."""
        self._settings = settings
        self._clocks = clocks
        self._handlers = installed_handlers(settings.dispatch)
        self._secrets = open_secrets(settings, learn=learn)

    async def begin(
        self,
        *,
        bus: Bus,
        kept_here: PrunedLog | None,
        journal: Journal,
        records: Records,
        metrics: Metrics,
        stack: AsyncExitStack,
        tasks: Tasks,
        seconds_left: Callable[[], float],
    ) -> BacklogView:
        """Start to work, and return what tells how much is left to do.

        `kept_here` is the log, where it is this process that keeps it short.
        The stack ends it: runs in flight may take `seconds_left()` then.
        """
        own = OwnActions(
            bus=bus,
            journal=journal,
            records=records,
            instance=self._settings.instance,
            clock=self._clocks.wall,
        )
        performers = await stack.enter_async_context(
            outside(self._settings, self._secrets, records, clocks=self._clocks)
        )
        stack.enter_context(Watchdog(count=metrics.loop_blocked.inc))
        runner = self._runner({**performers, **own.performers()}, own, journal, metrics)
        subscription = await stack.enter_async_context(bus.subscribe(GROUP))
        tasks.start(runner.run(), "runner")
        stack.push_async_callback(_drain, runner, seconds_left)
        router = Router(journal=journal, handlers=self._handlers)
        tasks.start(router.run(subscription), "router")
        backlog = BacklogView(journal=journal, subscription=subscription)
        metrics.watch(Backlog(runs=backlog.runs, lag=backlog.lag))
        tasks.start(_keep_fresh(backlog), "backlog")
        tidying = keep_tidy(
            settings=self._settings.retention,
            journal=journal,
            log=kept_here,
            clock=self._clocks.wall,
        )
        tasks.start(tidying, "retention")
        watcher = await stack.enter_async_context(
            watching(
                self._settings,
                token=self._secrets.kubernetes,
                bus=bus,
                metrics=metrics,
                clocks=self._clocks,
            )
        )
        if watcher is not None:
            tasks.start(watcher.run(), "watcher")
        return backlog

    def _runner(
        self, performers: Performers, own: OwnActions, journal: Journal, metrics: Metrics
    ) -> Runner:
        dispatch = self._settings.dispatch
        return Runner(
            attempts=Attempts(
                handlers=_by_name(self._handlers),
                journal=journal,
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
                metrics=metrics.dispatch,
            ),
            concurrency=dispatch.concurrency,
            worker=process_name(self._settings.instance),
            bury=own.bury,
            running=running,
        )


def _by_name(handlers: Sequence[Handler]) -> dict[str, Handler]:
    return {handler.name: handler for handler in handlers}


async def _drain(runner: Runner, seconds_left: Callable[[], float]) -> None:
    await runner.stop(within_seconds=max(0.0, seconds_left()))


async def _keep_fresh(backlog: BacklogView) -> None:
    while True:
        with suppress(StorageError):
            await backlog.refresh()
        await asyncio.sleep(BACKLOG_SECONDS)
