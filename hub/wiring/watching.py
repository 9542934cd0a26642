"""What watches the cluster, built of its parts."""

import random
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Final

from hub.bus.interface import Bus
from hub.clients.http import Http
from hub.clients.kubernetes import Kubernetes
from hub.secrets import SecretPlace
from hub.settings import Settings, WatcherSettings
from hub.telemetry.metrics import Metrics
from hub.watcher import Election, Kinds, Lease, Memory, Surroundings, Telling, Watcher
from hub.wiring.clock import Clocks
from hub.wiring.role import process_name

WATCHES: Final = 1_000
"""Each holds a connection: far more kinds than the settings of any platform name."""

RECOVERED_SECONDS: Final = 3 * 86_400.0
"""What happened longer ago is not told, as GitHub delivers nothing again after three days: a hub
that is new must not tell the channel of everything that ever became ready."""


@asynccontextmanager
async def watching(
    settings: Settings,
    *,
    token: SecretPlace | None,
    bus: Bus,
    metrics: Metrics,
    clocks: Clocks,
) -> AsyncIterator[Watcher | None]:
    """Yield what watches as the settings say; None where they name nothing to watch."""
    if settings.kubernetes is None or settings.watcher is None:
        yield None
        return
    # Of its own, so that watches take no connection from what acts.
    async with Http(
        monotonic=clocks.monotonic, wall=clocks.wall, connections_per_host=WATCHES
    ) as http:
        yield _watcher(
            settings,
            settings.watcher,
            kubernetes=Kubernetes(settings=settings.kubernetes, http=http, token=token),
            bus=bus,
            metrics=metrics,
            clocks=clocks,
        )


def _watcher(
    settings: Settings,
    watched: WatcherSettings,
    *,
    kubernetes: Kubernetes,
    bus: Bus,
    metrics: Metrics,
    clocks: Clocks,
) -> Watcher:
    kept_seconds = settings.retention.keys_days * 86_400.0
    return Watcher(
        find=Kinds(kubernetes, watched).find,
        election=Election(
            Lease(
                namespace=watched.lease_namespace,
                name=watched.lease_name,
                holder=process_name(settings.instance),
            ),
            kubernetes=kubernetes,
            wall=clocks.wall,
            monotonic=clocks.monotonic,
        ),
        around=Surroundings(
            cluster=watched.cluster,
            kubernetes=kubernetes,
            telling=Telling(bus),
            metrics=metrics.watcher,
            wall=clocks.wall,
            monotonic=clocks.monotonic,
            chance=random.Random(),  # noqa: S311  # jitter is no secret
        ),
        remember=lambda: Memory(
            stuck_seconds=watched.stuck_seconds,
            oldest_seconds=min(RECOVERED_SECONDS, kept_seconds),
        ),
    )
