"""Durable accept against a bare aiohttp handler, round by round in the same minute."""

import asyncio
import json
import secrets
import sys
from collections import defaultdict
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from statistics import median
from tempfile import TemporaryDirectory

from bench import payloads
from bench.table import Row

ROUNDS = 3
REQUESTS = {"7 KB": 6_000, "25 KB": 6_000, "200 KB": 1_500}
CONNECTIONS = {"7 KB": 64, "25 KB": 64, "200 KB": 16}
QUIET_GOALS = {"7 KB": 0.55, "25 KB": 0.40, "200 KB": 0.30}
LOUD_GOALS = {"7 KB": 0.45, "25 KB": 0.33}
BURST_GOAL_MS = 50.0
_LOAD = Path(__file__).with_name("load.py")


@dataclass(frozen=True, slots=True, kw_only=True)
class Server:
    """A server in a process of its own."""

    name: str
    port: int
    pid: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Round:
    """What the load generator says of one round."""

    per_second: float
    p50_ms: float
    p99_ms: float
    cpu_us: float


@asynccontextmanager
async def serving(name: str, *arguments: str) -> AsyncIterator[Server]:
    """Start a module of the bench; it writes its port on its first line."""
    process = await asyncio.create_subprocess_exec(
        sys.executable, "-m", *arguments, stdout=asyncio.subprocess.PIPE
    )
    assert process.stdout is not None
    try:
        port = int(await asyncio.wait_for(process.stdout.readline(), 30))
        yield Server(name=name, port=port, pid=process.pid)
    finally:
        process.kill()
        await process.wait()


async def load(
    server: Server, secret: Path, event: str, files: Sequence[Path], *, connections: int, count: int
) -> Round:
    """Let the load generator send, in a process of its own."""
    process = await asyncio.create_subprocess_exec(
        sys.executable,
        str(_LOAD),
        *("--port", str(server.port), "--pid", str(server.pid), "--event", event),
        *("--connections", str(connections), "--count", str(count)),
        *("--secret-file", str(secret), *map(str, files)),
        stdout=asyncio.subprocess.PIPE,
    )
    output, _ = await asyncio.wait_for(process.communicate(), 300)
    said = json.loads(output)
    if said["statuses"] != {"202": count}:
        raise RuntimeError(f"{server.name} answered {said['statuses']}")
    return Round(
        per_second=said["requests_per_second"],
        p50_ms=said["p50_ms"],
        p99_ms=said["p99_ms"],
        cpu_us=said["cpu_us_per_request"],
    )


async def measure() -> list[Row]:
    """Measure, and return the rows."""
    with TemporaryDirectory(prefix="trunkline-bench-") as folder:
        scratch = Path(folder)
        secret = scratch / "secret"
        secret.write_text(secrets.token_urlsafe(32))
        homes = {level: scratch / level for level in ("error", "info")}
        for home in homes.values():
            home.mkdir()
            (home / "secret").write_text(secret.read_text())
        bodies = payloads.write(scratch)
        async with (
            serving("bare", "bench.bare") as bare,
            serving("quiet", "bench.receiver", str(homes["error"]), "error") as quiet,
            serving("loud", "bench.receiver", str(homes["info"]), "info") as loud,
        ):
            servers = (bare, quiet, loud)
            rows = []
            for size, (event, files) in bodies.items():
                rows += await _compare(size, servers, secret, event, files)
            rows.append(await _burst(loud, secret, *bodies["25 KB"]))
            return rows


async def in_turns(
    servers: Sequence[Server],
    secret: Path,
    event: str,
    files: Sequence[Path],
    *,
    size: str,
    count: int,
) -> dict[str, list[Round]]:
    """Let the servers take rounds in turns, so that they share what the machine does besides."""
    rounds: defaultdict[str, list[Round]] = defaultdict(list)
    for server in servers:
        await load(server, secret, event, files, connections=8, count=300)
    for _ in range(ROUNDS):
        for server in servers:
            one = await load(
                server, secret, event, files, connections=CONNECTIONS[size], count=count
            )
            rounds[server.name].append(one)
    return rounds


async def _compare(
    size: str, servers: Sequence[Server], secret: Path, event: str, files: Sequence[Path]
) -> list[Row]:
    rounds = await in_turns(servers, secret, event, files, size=size, count=REQUESTS[size])
    bare = rounds["bare"]
    rows = [
        Row(
            what=f"bare aiohttp, {size}",
            measured=figures(bare),
            goal="the floor",
            reached=None,
        )
    ]
    for name, words, goals in (
        ("quiet", "durable accept", QUIET_GOALS),
        ("loud", "durable accept with log line and metrics", LOUD_GOALS),
    ):
        ratios = [
            one.per_second / floor.per_second for one, floor in zip(rounds[name], bare, strict=True)
        ]
        ratio, goal = median(ratios), goals.get(size)
        rows.append(
            Row(
                what=f"{words}, {size}",
                measured=f"{ratio:.0%} of bare; {figures(rounds[name])}",
                goal=f">= {goal:.0%}" if goal else "",
                reached=ratio >= goal if goal else None,
            )
        )
    return rows


async def _burst(server: Server, secret: Path, event: str, files: Sequence[Path]) -> Row:
    bursts = [await load(server, secret, event, files, connections=64, count=64) for _ in range(20)]
    p99 = median(one.p99_ms for one in bursts)
    return Row(
        what="64 simultaneous deliveries of 25 KB, p99",
        measured=f"{p99:.1f} ms (median of {len(bursts)} bursts)",
        goal=f"<= {BURST_GOAL_MS:g} ms",
        reached=p99 <= BURST_GOAL_MS,
    )


def figures(rounds: Sequence[Round]) -> str:
    """Return the medians of these rounds, for people."""
    return (
        f"{median(one.per_second for one in rounds):,.0f} req/s, "
        f"{median(one.cpu_us for one in rounds):.0f} µs CPU, "
        f"p99 {median(one.p99_ms for one in rounds):.0f} ms"
    )
