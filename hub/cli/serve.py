"""`trunkline serve`: the hub as a process."""

import asyncio
import gc
import os
import signal
import sys
from pathlib import Path

from hub.cli.configured import settings_of
from hub.telemetry.logging import configure
from hub.wiring.hub import Hub
from hub.wiring.role import Role

LET_GO_SECONDS = 1.0
"""For tasks that the hub has given up already."""


COLLECT_AFTER = 10_000
"""New objects: some megabytes, and fifteen times the default, which is for programs that stop."""


def serve(config: Path | None, *, role: Role) -> None:
    """Run the hub until SIGTERM or Ctrl-C, and stop it in order."""
    asyncio.run(_serve(config, role))


async def _serve(config: Path | None, role: Role) -> None:
    stop = asyncio.Event()
    loop = asyncio.get_running_loop()
    for one in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(one, stop.set)
    settings = settings_of(config)
    redactor = configure(settings.log_level, sys.stderr.buffer)
    async with Hub(settings, learn=redactor.add, role=role) as hub:
        keep_for_good()
        await hub.serve_until(stop)
    await _end()


def keep_for_good() -> None:
    """Spare the collector what lives as long as the process: it looks at all of it, often."""
    gc.collect()
    gc.freeze()
    gc.set_threshold(COLLECT_AFTER)


async def _end() -> None:
    """End the process even where a handler does not let go: the loop would wait for it for good."""
    left = asyncio.all_tasks() - {asyncio.current_task()}
    for task in left:
        task.cancel()
    if left and (await asyncio.wait(left, timeout=LET_GO_SECONDS))[1]:
        sys.stderr.flush()
        os._exit(0)
