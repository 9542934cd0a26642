"""Lets go of what the settings keep no longer: hourly, and in small steps beside the work.

It decides nothing but when; what may go is for the log and the journal to say.
"""

import asyncio
from collections.abc import Awaitable, Callable
from functools import partial
from typing import Protocol

import structlog

from hub.dispatch.pausing import pause
from hub.errors import StorageError
from hub.journal.interface import Journal
from hub.settings import RetentionSettings

TIDY_SECONDS = 3600.0
"""Between two rounds. Retention is counted in days, so an hour more is nothing, and one hour's
past is gone in seconds."""

SLICE = 200
"""Runs or events that go in one commit, which others may have to wait for: some milliseconds."""

BREATH_SECONDS = 0.05
"""Between two slices: several times what one takes, so that a first round through years of past
leaves the disk to deliveries."""

_DAY_SECONDS = 86_400.0

_log = structlog.get_logger()


class PrunedLog(Protocol):
    """A log that is kept short from here. Others, such as Kafka, see to it themselves."""

    async def prune(self, *, received_before: float, limit: int) -> int:
        """Forget up to `limit` events that every group is done with; return how many."""
        ...


async def keep_tidy(
    *,
    settings: RetentionSettings,
    journal: Journal,
    log: PrunedLog | None,
    clock: Callable[[], float],
) -> None:
    """Forget what is old enough, now and then every hour, until cancelled.

    `clock` gives Unix time in seconds. A StorageError is waited out.
    """
    while True:
        try:
            await tidy(settings=settings, journal=journal, log=log, now=clock())
        except StorageError as error:
            await pause("pruning_paused", error)
        else:
            await asyncio.sleep(TIDY_SECONDS)


async def tidy(
    *, settings: RetentionSettings, journal: Journal, log: PrunedLog | None, now: float
) -> None:
    """Forget what is old enough at the Unix time `now`. Raises StorageError."""
    runs_before = now - settings.runs_days * _DAY_SECONDS
    keys_before = now - settings.keys_days * _DAY_SECONDS
    events_before = now - settings.events_days * _DAY_SECONDS
    runs = await _in_slices(
        partial(journal.prune, runs_before=runs_before, keys_before=keys_before, limit=SLICE)
    )
    events = 0
    if log is not None:
        events = await _in_slices(partial(log.prune, received_before=events_before, limit=SLICE))
    if runs or events:
        _log.info("pruned", runs=runs, events=events)


async def _in_slices(prune: Callable[[], Awaitable[int]]) -> int:
    total = 0
    while (forgotten := await prune()) == SLICE:
        total += forgotten
        await asyncio.sleep(BREATH_SECONDS)
    return total + forgotten
