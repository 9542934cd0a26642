"""Signed GitHub deliveries over keep-alive connections, as fast as the other side answers.

Runs as a process of its own, so that its work is not counted as the server's:

    python bench/load.py --port 8080 --connections 64 --count 5000 --secret-file S push.json ...

It writes one JSON object: requests a second, latencies in milliseconds, answers by status and,
given `--pid`, the CPU microseconds of that process (all threads) for each request. Throughput
swings with the neighbours on a shared machine; CPU per request is steadier.
"""

import argparse
import asyncio
import hashlib
import hmac
import json
import os
import statistics
import time
import uuid
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from itertools import cycle, islice
from pathlib import Path

_END_OF_HEADERS = b"\r\n\r\n"
_DELIVERY = b"X-GitHub-Delivery: %s" + _END_OF_HEADERS


@dataclass(frozen=True, slots=True)
class Delivery:
    """A signed request but for its id, which is new for every sending."""

    head: bytes
    body: bytes

    def sent_as(self, delivery_id: str) -> bytes:
        return self.head + _DELIVERY % delivery_id.encode() + self.body


@dataclass(slots=True)
class Tally:
    statuses: Counter[int] = field(default_factory=Counter)
    seconds: list[float] = field(default_factory=list)


class Sender(asyncio.Protocol):
    """One connection, one request at a time."""

    def __init__(self, work: Iterator[Delivery], tally: Tally) -> None:
        self._work = work
        self._tally = tally
        self._buffer = b""
        self._sent_at = 0.0
        self.done = asyncio.get_running_loop().create_future()

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        assert isinstance(transport, asyncio.Transport)
        self._transport = transport
        self._send_next()

    def data_received(self, data: bytes) -> None:
        self._buffer += data
        head, found, body = self._buffer.partition(_END_OF_HEADERS)
        if found and len(body) >= _content_length(head):
            self._tally.seconds.append(time.perf_counter() - self._sent_at)
            self._tally.statuses[int(head[9:12])] += 1
            self._buffer = b""
            self._send_next()

    def connection_lost(self, exc: Exception | None) -> None:
        if not self.done.done():
            self.done.set_exception(exc or ConnectionResetError("closed by the server"))

    def _send_next(self) -> None:
        delivery = next(self._work, None)
        if delivery is None:
            self.done.set_result(None)
            self._transport.close()
            return
        self._sent_at = time.perf_counter()
        self._transport.write(delivery.sent_as(str(uuid.uuid4())))


def _content_length(head: bytes) -> int:
    _, _, rest = head.lower().partition(b"content-length:")
    return int(rest.partition(b"\r\n")[0] or 0)


def signed(payload: bytes, *, secret: bytes, path: str, event: str) -> Delivery:
    """Make a delivery the way GitHub does."""
    signature = hmac.new(secret, payload, hashlib.sha256).hexdigest()
    head = (
        f"POST {path} HTTP/1.1\r\nHost: localhost\r\nUser-Agent: GitHub-Hookshot/load\r\n"
        f"Accept: */*\r\nContent-Type: application/json\r\nX-GitHub-Event: {event}\r\n"
        f"X-Hub-Signature-256: sha256={signature}\r\nContent-Length: {len(payload)}\r\n"
    )
    return Delivery(head.encode(), payload)


def cpu_seconds(pid: int) -> float:
    """Return what the process has used so far, user and system, all threads."""
    fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


async def send(
    deliveries: Sequence[Delivery], *, host: str, port: int, connections: int, count: int
) -> Tally:
    """Send `count` requests over `connections` connections, the deliveries in rotation."""
    tally = Tally()
    work = islice(cycle(deliveries), count)
    loop = asyncio.get_running_loop()
    senders = [
        (await loop.create_connection(lambda: Sender(work, tally), host, port))[1]
        for _ in range(connections)
    ]
    await asyncio.gather(*(sender.done for sender in senders))
    return tally


def report(tally: Tally, *, wall: float, cpu: float | None) -> dict[str, object]:
    """Sum it up."""
    count = len(tally.seconds)
    centiles = statistics.quantiles(tally.seconds, n=100, method="inclusive")
    return {
        "requests": count,
        "statuses": {str(status): times for status, times in sorted(tally.statuses.items())},
        "requests_per_second": round(count / wall, 1),
        "p50_ms": round(centiles[49] * 1e3, 3),
        "p99_ms": round(centiles[98] * 1e3, 3),
        "cpu_us_per_request": None if cpu is None else round(cpu / count * 1e6, 1),
    }


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("payloads", nargs="+", type=Path)
    parser.add_argument("--host", default="127.0.0.1")
    parser.add_argument("--port", type=int, required=True)
    parser.add_argument("--path", default="/webhooks/github")
    parser.add_argument("--event", default="push")
    parser.add_argument("--connections", type=int, default=64)
    parser.add_argument("--count", type=int, default=5000)
    parser.add_argument("--secret-file", type=Path, required=True)
    parser.add_argument("--pid", type=int, help="measure this process' CPU time")
    given = parser.parse_args()

    secret = given.secret_file.read_bytes().strip()
    deliveries = [
        signed(payload.read_bytes(), secret=secret, path=given.path, event=given.event)
        for payload in given.payloads
    ]
    cpu = cpu_seconds(given.pid) if given.pid else 0.0
    started = time.perf_counter()
    tally = asyncio.run(
        send(
            deliveries,
            host=given.host,
            port=given.port,
            connections=given.connections,
            count=given.count,
        )
    )
    wall = time.perf_counter() - started
    used = cpu_seconds(given.pid) - cpu if given.pid else None
    print(json.dumps(report(tally, wall=wall, cpu=used)))


if __name__ == "__main__":
    main()
