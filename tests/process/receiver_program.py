"""The receiver, its log and its admin port as a process: `receiver_program.py FOLDER`.

The folder has the file `github.key`. Writes its two ports as JSON, and ends with SIGTERM.
"""

import asyncio
import json
import signal
import sys
from pathlib import Path

from prometheus_client import CollectorRegistry

from hub.bus.schema import MIGRATIONS
from hub.bus.sqlite import SqliteBus
from hub.receiver.admin import Admin
from hub.receiver.doors import open_doors
from hub.receiver.server import Receiver
from hub.settings import AdminSettings, Door, Key, ReceiverSettings, Secret
from hub.sqlite import Database
from hub.telemetry.metrics import ReceiverMetrics


async def run(folder: Path) -> None:
    database = await Database.own(folder / "hub.db")
    await database.migrate("bus", MIGRATIONS)
    bus = SqliteBus(store=database)
    registry = CollectorRegistry()
    key = Key(id="github-1", secret=Secret(file=folder / "github.key"))
    settings = ReceiverSettings(port=0, github=Door(keys=(key,)))
    receiver = Receiver(
        settings=settings,
        bus=bus,
        doors=open_doors(settings),
        metrics=ReceiverMetrics(registry),
    )
    admin = Admin(
        settings=AdminSettings(port=0), health={"log": bus.check}, readiness={}, registry=registry
    )
    stopped = asyncio.Event()
    asyncio.get_running_loop().add_signal_handler(signal.SIGTERM, stopped.set)
    ports = {"receiver": await receiver.start(), "admin": await admin.start()}
    sys.stdout.write(json.dumps(ports) + "\n")
    sys.stdout.flush()
    await stopped.wait()
    await receiver.stop()
    await admin.stop()
    await database.close()


if __name__ == "__main__":
    asyncio.run(run(Path(sys.argv[1])))
