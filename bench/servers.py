"""The hub on a real Kafka and a real PostgreSQL, on the same machine: see `make servers`."""

import secrets
import sys
from collections.abc import Sequence
from contextlib import ExitStack
from pathlib import Path
from statistics import median
from tempfile import TemporaryDirectory

from servers.kafka import kafka_cluster
from servers.place import missing
from servers.postgres import postgres

from bench import dispatch, lanes, payloads
from bench.accept import REQUESTS, Round, Server, figures, in_turns, serving
from bench.engines import on_servers
from bench.table import Row

SIZES = ("7 KB", "25 KB")
GOAL = 0.8
"""Of the requests a second that the log in SQLite takes."""

EACH_TO_THE_DISK = {"log.flush.interval.messages": "1"}
"""Kafka leaves it to the system when a record goes to the disk, and relies on its copies."""


async def measure() -> list[Row]:
    """Measure, and return the rows; none where there are no servers."""
    if reason := missing():
        print(f"Kafka and PostgreSQL are not measured: {reason}", file=sys.stderr)
        return []
    rows = await _accept()
    with kafka_cluster() as kafka, postgres() as database:
        settings = on_servers(
            kafka=kafka.address,
            postgres=database.fresh_database(),
            password_file=database.password_file,
        )
        rows += await dispatch.measure_on_servers(settings)
        rows += await lanes.measure_in(settings, "PostgreSQL")
    return rows


async def _accept() -> list[Row]:
    with TemporaryDirectory(prefix="trunkline-bench-") as folder, ExitStack() as stack:
        scratch = Path(folder)
        secret = scratch / "secret"
        secret.write_text(secrets.token_urlsafe(32))
        bodies = payloads.write(scratch)
        kafka = stack.enter_context(kafka_cluster())
        flushing = stack.enter_context(kafka_cluster(settings=EACH_TO_THE_DISK))
        async with (
            serving("SQLite", "bench.receiver", str(scratch), "error") as sqlite,
            serving(
                "Kafka", "bench.receiver", str(scratch), "error", f"kafka://{kafka.address}"
            ) as plain,
            serving(
                "Kafka, each record to the disk",
                "bench.receiver",
                str(scratch),
                "error",
                f"kafka://{flushing.address}",
            ) as flushed,
        ):
            rows = []
            for size in SIZES:
                event, files = bodies[size]
                rows += await _compare(size, (sqlite, plain, flushed), secret, event, files)
            return rows


async def _compare(
    size: str, servers: Sequence[Server], secret: Path, event: str, files: Sequence[Path]
) -> list[Row]:
    rounds = await in_turns(servers, secret, event, files, size=size, count=REQUESTS[size] // 2)
    floor, *others = (server.name for server in servers)
    return [_row(name, size, rounds[name], rounds[floor]) for name in others]


def _row(name: str, size: str, rounds: Sequence[Round], floor: Sequence[Round]) -> Row:
    ratio = median(
        one.per_second / other.per_second for one, other in zip(rounds, floor, strict=True)
    )
    wanted = name == "Kafka"
    return Row(
        what=f"accept on {name}, {size}",
        measured=f"{ratio:.2f}x of SQLite; {figures(rounds)}; SQLite then {figures(floor)}",
        goal=f">= {GOAL:g}x" if wanted else "",
        reached=ratio >= GOAL if wanted else None,
    )
