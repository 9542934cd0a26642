"""The hub watches a cluster as it is deployed to, and what it tells of goes onto a log."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from pathlib import Path

import yaml
from servers.composites import Object
from servers.kubernetes import KubernetesServer

from hub.bus.schema import MIGRATIONS
from hub.bus.sqlite import SqliteBus
from hub.secrets import SecretPlace
from hub.settings import KubernetesSettings, Secret, Settings, WatcherSettings
from hub.sqlite import Database
from hub.telemetry.metrics import new_metrics
from hub.wiring.clock import SYSTEM_CLOCKS
from hub.wiring.watching import watching

NAMESPACE = "trunkline"
PATIENCE = 60.0
_RIGHTS = Path(__file__).parents[2] / "k8s" / "base" / "rights.yaml"
_TYPE = "io.crossplane.composite."


@asynccontextmanager
async def listening(server: KubernetesServer, folder: Path) -> AsyncIterator[SqliteBus]:
    """Let the hub watch while the block lasts, with its own rights, and yield its log."""
    account = await asyncio.to_thread(server.account, *_rules())
    settings = Settings(
        kubernetes=KubernetesSettings(url=server.url, ca_file=server.ca_file),
        watcher=WatcherSettings(groups=("platform.company.com",), lease_namespace=NAMESPACE),
    )
    async with (
        _log(folder / "log.db") as bus,
        watching(
            settings,
            token=SecretPlace(Secret(file=account), name="kubernetes.token"),
            bus=bus,
            metrics=new_metrics(),
            clocks=SYSTEM_CLOCKS,
        ) as watcher,
    ):
        assert watcher is not None
        task = asyncio.create_task(watcher.run())
        try:
            yield bus
        finally:
            task.cancel()
            with suppress(asyncio.CancelledError):
                await task


@asynccontextmanager
async def _log(file: Path) -> AsyncIterator[SqliteBus]:
    database = await Database.own(file)
    try:
        await database.migrate("bus", MIGRATIONS)
        yield SqliteBus(store=database)
    finally:
        await database.close()


def _rules() -> list[Object]:
    """Return what the deployment lets the hub do to watch what teams ask for."""
    ours = ("trunkline-worker", "ClusterRole"), ("trunkline-watcher", "Role")
    return [
        rule
        for one in yaml.safe_load_all(_RIGHTS.read_text())
        if (one["metadata"]["name"], one["kind"]) in ours
        for rule in one["rules"]
    ]


async def until_told(bus: SqliteBus, wanted: Object, last: str) -> list[str]:
    """Wait until this was told of a composite, and return all that was."""
    place = f"{wanted['metadata']['namespace']}/{wanted['metadata']['name']}"
    async with asyncio.timeout(PATIENCE):
        while True:
            records = await bus.read(after=None, limit=1000)
            types = [one.envelope.type for one in records if one.envelope.subject == place]
            told = [one.removeprefix(_TYPE).removesuffix(".v1") for one in types]
            if last in told:
                return told
            await asyncio.sleep(0.05)
