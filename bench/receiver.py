"""The way of an event up to the 202: receiver, source and log, without dispatch.

    python -m bench.receiver FOLDER LOG_LEVEL [kafka://HOST:PORT]

FOLDER holds the secret in a file `secret`; the process's log goes to a file in it, and so do the
events, unless Kafka's address is given.
"""

import asyncio
import sys
from pathlib import Path

from bench.engines import engines_of, on_sqlite
from hub.cli.serve import keep_for_good
from hub.receiver.doors import open_doors
from hub.receiver.server import Receiver
from hub.settings import Door, KafkaSettings, Key, ReceiverSettings, Secret
from hub.telemetry.logging import configure
from hub.telemetry.metrics import new_metrics


async def main(folder: Path, level: str, kafka: str | None = None) -> None:
    log = (folder / "receiver.log").open("wb", buffering=0)
    configure(level, log)
    settings = ReceiverSettings(
        port=0, github=Door(keys=(Key(id="bench", secret=Secret(file=folder / "secret")),))
    )
    engines = on_sqlite(folder)
    if kafka is not None:
        engines = engines.model_copy(
            update={"bus": kafka, "kafka": KafkaSettings(replication=1, topic=f"bench-{level}")}
        )
    async with engines_of(engines) as opened:
        receiver = Receiver(
            settings=settings,
            bus=await opened.open_bus(),
            doors=open_doors(settings),
            metrics=new_metrics().receiver,
        )
        port = await receiver.start()
        keep_for_good()
        print(port, flush=True)
        await asyncio.Event().wait()


if __name__ == "__main__":
    asyncio.run(main(Path(sys.argv[1]), *sys.argv[2:]))
