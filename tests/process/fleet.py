"""Several processes of one hub on a real Kafka and a real PostgreSQL.

The settings are those of docs/examples/kafka-postgres.yaml, with the addresses of the servers here.
"""

from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass, replace
from functools import reduce
from itertools import count, cycle
from pathlib import Path
from typing import Any

import yaml
from aiokafka import AIOKafkaConsumer
from aiokafka.admin import AIOKafkaAdminClient
from served import ROOT, Files, Served, WriteSettings
from servers.postgres import PostgresServer
from surroundings import KEY, QUICK

from hub.dispatch.router import GROUP
from hub.sandbox.kubernetes.cluster import merge
from hub.sandbox.world import World
from hub.wiring.role import Role

EXAMPLE = ROOT / "docs/examples/kafka-postgres.yaml"

LEASE_SECONDS = 3
"""The shortest that the settings take, so that a test need not wait long for a takeover."""

_numbers = count(1)


@dataclass(frozen=True, slots=True, kw_only=True)
class Ground:
    """The servers that a fleet stands on, with a topic and a database that are its own."""

    kafka: str
    """`HOST:PORT,HOST:PORT`."""
    postgres: str
    """The database's URL."""
    password_file: Path
    topic: str
    replication: int = 1

    def settings(self) -> dict[str, Any]:
        """Return what differs from the example."""
        return {
            "instance": self.topic,
            "bus": f"kafka://{self.kafka}",
            "journal": self.postgres,
            "kafka": {
                "topic": self.topic,
                "partitions": 6,
                "replication": self.replication,
                "username": None,
                "password": None,
                "ca_file": None,
                "spool": "spool.db",
            },
            "postgres": {
                "password": {"file": str(self.password_file)},
                "ca_file": None,
                "lease_seconds": LEASE_SECONDS,
            },
            "receiver": {
                "host": "127.0.0.1",
                "github": {"keys": [{"id": "test", "secret": {"file": "github.key"}}]},
            },
            "admin": {"host": "127.0.0.1"},
        }


def ground(kafka: str, postgres: PostgresServer, *, replication: int = 1) -> Ground:
    """Take a topic and a database that nobody has used."""
    return Ground(
        kafka=kafka,
        postgres=postgres.fresh_database(),
        password_file=postgres.password_file,
        topic=f"fleet-{next(_numbers)}",
        replication=replication,
    )


class Fleet:
    """Receivers and workers of one hub. Where one is asked for, it is theirs in turn."""

    def __init__(self, on: Ground, receivers: list[Served], workers: list[Served]) -> None:
        self.on = on
        self.receivers = receivers
        self.workers = workers
        self._turns = cycle(receivers)

    @property
    def members(self) -> list[Served]:
        return [*self.receivers, *self.workers]

    @property
    def url(self) -> str:
        return self.receivers[0].url

    @property
    def port(self) -> int:
        """The port of the receiver whose turn it is."""
        return next(self._turns).port

    async def start(self) -> None:
        """Start all of them at once, as an orchestrator does, and wait until they are ready."""
        for member in self.members:
            await member.spawn()
        await self.ready()

    async def ready(self) -> None:
        for member in self.members:
            await member.ready()

    async def stop(self) -> list[int]:
        """Stop them, one after the other, and return their exit codes."""
        return [await member.stop() for member in self.members]

    @asynccontextmanager
    async def files(self) -> AsyncIterator[Files]:
        """Look at the log and the journal, as the command line does, and join no group."""
        async with self.workers[0].files() as files:
            yield replace(files, lag=self.lag)

    async def lag(self) -> int:
        """Return how many events the workers have not committed, by what the brokers say."""
        admin = AIOKafkaAdminClient(bootstrap_servers=self.on.kafka)
        consumer = AIOKafkaConsumer(self.on.topic, bootstrap_servers=self.on.kafka)
        try:
            await admin.start()
            await consumer.start()
            done = await admin.list_consumer_group_offsets(f"{self.on.topic}.{GROUP}")
            ends = await consumer.end_offsets(consumer.assignment())
        finally:
            await consumer.stop()
            await admin.close()
        committed = {place: offset.offset for place, offset in done.items()}
        return sum(end - max(0, committed.get(place, 0)) for place, end in ends.items())


Patches = Sequence[Mapping[str, Any]]
"""What differs from the settings of the surroundings, one after the other; None takes away."""

WriterFor = Callable[[Path, Patches], WriteSettings]
"""Makes what writes a member's settings, given its folder."""


def example_in(folder: Path, patches: Patches) -> WriteSettings:
    """Write the example's settings for a hub that nobody is around."""
    (folder / "github.key").write_text(KEY)

    def write(file: Path, port: int, admin_port: int) -> None:
        ports = {"receiver": {"port": port}, "admin": {"port": admin_port}}
        example = yaml.safe_load(EXAMPLE.read_text())
        file.write_text(yaml.safe_dump(reduce(merge, (*patches, ports), example)))

    return write


def of_world(world: World) -> WriterFor:
    """Return what writes settings for a hub in this world, which has the keys for its doors."""

    def writer_for(folder: Path, patches: Patches) -> WriteSettings:
        changes = reduce(merge, (*patches, {"receiver": None}), QUICK)

        def write(file: Path, port: int, admin_port: int) -> None:
            world.write_settings(
                file, state=folder / "state", port=port, admin_port=admin_port, changes=changes
            )

        return write

    return writer_for


@asynccontextmanager
async def fleet(
    folder: Path,
    on: Ground,
    *,
    receivers: int = 2,
    workers: int = 2,
    changes: Mapping[str, Any] | None = None,
    environment: Mapping[str, str] | None = None,
    writer_for: WriterFor = example_in,
) -> AsyncIterator[Fleet]:
    """Make a fleet; nothing of it runs yet."""
    patches = (on.settings(), changes or {})
    async with AsyncExitStack() as stack:

        async def member(name: str, role: Role) -> Served:
            place = folder / name
            place.mkdir(parents=True)
            served = Served(place, writer_for(place, patches), role=role)
            served.environment |= environment or {}
            return await stack.enter_async_context(served)

        yield Fleet(
            on,
            [await member(f"receiver-{number}", Role.RECEIVER) for number in range(receivers)],
            [await member(f"worker-{number}", Role.WORKER) for number in range(workers)],
        )
