"""`trunkline serve`: the hub as a process."""

import asyncio
import signal
import sys
from pathlib import Path

from hub.cli.configured import settings_of
from hub.telemetry.logging import configure
from hub.wiring.hub import Hub
from hub.wiring.role import Role


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
        await hub.serve_until(stop)
