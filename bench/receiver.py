"""The way of an event up to the 202: receiver, source and log, without dispatch.

    python -m bench.receiver FOLDER LOG_LEVEL

FOLDER holds the secret in a file `secret`; the log goes to a file in it.
"""

import asyncio
import sys
from pathlib import Path

from hub.bus.schema import MIGRATIONS
from hub.bus.sqlite import SqliteBus
from hub.cli.serve import keep_for_good
from hub.receiver.doors import open_doors
from hub.receiver.server import Receiver
from hub.settings import Door, Key, ReceiverSettings, Secret
from hub.sqlite import Database
from hub.telemetry.logging import configure
from hub.telemetry.metrics import new_metrics


async def main(folder: Path, level: str) -> None:
    log = (folder / "receiver.log").open("wb", buffering=0)
    configure(level, log)
    settings = ReceiverSettings(
        port=0, github=Door(keys=(Key(id="bench", secret=Secret(file=folder / "secret")),))
    )
    database = await Database.own(folder / "receiver.db")
    await database.migrate("bus", MIGRATIONS)
    receiver = Receiver(
        settings=settings,
        bus=SqliteBus(store=database),
        doors=open_doors(settings),
        metrics=new_metrics().receiver,
    )
    port = await receiver.start()
    keep_for_good()
    print(port, flush=True)
    await asyncio.Event().wait()


if __name__ == "__main__":
    asyncio.run(main(Path(sys.argv[1]), sys.argv[2]))
