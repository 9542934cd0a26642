"""`trunkline serve`: the hub as a process."""

import asyncio
import signal
import sys
from pathlib import Path

from hub.cli.places import settings_of
from hub.telemetry.logging import configure
from hub.wiring import Hub


def serve(config: Path | None) -> None:
    """Run the hub until SIGTERM or Ctrl-C, and stop it in order."""
    asyncio.run(_serve(config))


async def _serve(config: Path | None) -> None:
    stop = asyncio.Event()
    loop = asyncio.get_running_loop()
    for one in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(one, stop.set)
    settings = settings_of(config)
    redactor = configure(settings.log_level, sys.stderr.buffer)
    async with Hub(settings, learn=redactor.add) as hub:
        await hub.serve_until(stop)
