"""What others find on the topics, and what people find who look at the log."""

import asyncio
import subprocess
from base64 import urlsafe_b64decode
from collections.abc import AsyncIterator
from dataclasses import dataclass, replace
from pathlib import Path
from uuid import uuid4

import pytest
from bus_home import MIB, event, everything, names
from bus_suite import FULL
from kafka_home import PATIENCE, KafkaHome, kafka_home, keyed, raw_records, send_raw
from servers.kafka import KafkaCluster
from servers.place import KAFKA, java

from hub.bus.interface import Position, Record
from hub.bus.kafka.searching import FIRST_WINDOW
from hub.errors import Malformed

READ_TOPIC = Path(__file__).parents[1] / "servers/ReadTopic.java"
KEYS = [f"company/{number}" for number in range(12)]


@pytest.fixture
async def home(kafka_server: KafkaCluster) -> AsyncIterator[KafkaHome]:
    async with kafka_home(kafka_server) as opened:
        yield opened


@dataclass(frozen=True, slots=True, kw_only=True)
class Line:
    """A record as Kafka's own client sees it."""

    partition: int
    its_choice: int
    key: bytes
    value: bytes
    headers: dict[str, bytes]


def decoded(text: str) -> bytes:
    return urlsafe_b64decode(text + "=" * (-len(text) % 4))


def parsed(line: str) -> Line:
    partition, choice, key, value, *headers = line.split(" ")
    pairs = (header.split("=") for header in headers)
    return Line(
        partition=int(partition),
        its_choice=int(choice),
        key=decoded(key),
        value=decoded(value),
        headers={decoded(name).decode(): decoded(text) for name, text in pairs},
    )


async def read_with_java(home: KafkaHome, count: int) -> list[Line]:
    command = [java() or "java", "-cp", f"{KAFKA.folder}/*", str(READ_TOPIC)]
    modules = await asyncio.to_thread(
        subprocess.run, [command[0], "--list-modules"], capture_output=True, text=True, check=True
    )
    if "jdk.compiler" not in modules.stdout:
        pytest.skip("Java has no compiler here")
    said = await asyncio.to_thread(
        subprocess.run,
        [*command, home.address, home.settings.topic, str(count)],
        capture_output=True,
        text=True,
        timeout=PATIENCE,
        check=True,
    )
    return [parsed(line) for line in said.stdout.splitlines()]


async def test_kafkas_own_client_finds_a_well_formed_cloudevent(home: KafkaHome) -> None:
    body = '{"title": "Fuß\\u00e9",\n "n": 1e400}'.encode()
    await home.bus.append([replace(FULL, subject="pull/ü", data=body)])
    (line,) = await read_with_java(home, 1)
    assert line.value == body
    assert line.key == b"company/payments"
    assert line.headers == {
        "ce_specversion": b"1.0",
        "ce_id": b"72d3162e-cc78-11e3-81ab-4c9367dc0958",
        "ce_source": b"https://api.github.com/repos/company/payments",
        "ce_type": b"com.github.pull_request.opened",
        "ce_subject": "pull/ü".encode(),
        "ce_time": b"2026-01-02T03:04:05.678+09:00",
        "content-type": b"application/vnd.github+json",
        "ce_dataschema": b"https://schemas.example.com/pull_request",
        "ce_partitionkey": b"company/payments",
        "ce_traceparent": b"00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01",
        "ce_hubhops": b"3",
        "ce_hubkey": b"github/2026-a",
        "ce_zone": b"eu",
        "ce_githubevent": b'pull "request"',
        "x-github-event": b"pull_request",
    }


async def test_keys_go_to_the_partitions_that_kafkas_own_client_chooses(home: KafkaHome) -> None:
    keys = [*KEYS, "ü", "a", "a long one / with ~ all kinds of things in it"]
    await home.bus.append([keyed(key, key) for key in keys])
    lines = await read_with_java(home, len(keys))
    assert {line.key.decode() for line in lines} == set(keys)
    assert [line.partition for line in lines] == [line.its_choice for line in lines]
    assert len({line.partition for line in lines}) > 1


@pytest.mark.parametrize("size", [0, 10, MIB])
async def test_bodies_are_packed_where_that_is_wanted(
    kafka_server: KafkaCluster, size: int
) -> None:
    async with kafka_home(kafka_server, compress_bodies=True) as home:
        sent = event("packed", bytes(size))
        await home.bus.append([sent])
        assert [record.envelope for record in await everything(home)] == [sent]
        async with home.bus.subscribe("dispatch") as subscription:
            assert [one.envelope for one in await subscription.poll(1)] == [sent]
        ((value, headers),) = await raw_records(home, home.settings.topic)
        assert headers["content-encoding"] == b"zstd"
        assert len(value or b"") < 1000


async def test_event_types_have_the_topic_of_their_longest_prefix(
    kafka_server: KafkaCluster,
) -> None:
    mine = f"t{uuid4().hex}"
    routes = {"com.github.": f"{mine}.github", "com.github.pull_request": f"{mine}.pulls"}
    async with kafka_home(kafka_server, topic=mine, topics=routes) as home:
        events = {
            f"{mine}.github": event("push"),
            f"{mine}.pulls": FULL,
            mine: replace(FULL, type="dev.tekton.event.pipelinerun.failed.v1", id="run"),
        }
        await home.bus.append([*events.values()])
        for topic, sent in events.items():
            ((_, headers),) = await raw_records(home, topic)
            assert headers["ce_id"] == sent.id.encode()
        assert len(await everything(home)) == 3
        async with home.bus.subscribe("dispatch") as subscription:
            seen: list[Record] = []
            async with asyncio.timeout(PATIENCE):
                while len(seen) < 3:
                    seen += await subscription.poll(10)


async def test_who_follows_all_partitions_misses_nothing(home: KafkaHome) -> None:
    """Pages of three, while others append to every partition."""
    wanted = {f"{key} {number}" for key in KEYS for number in range(10)}

    async def append(key: str) -> None:
        for number in range(10):
            await home.bus.append([keyed(f"{key} {number}", key)])

    appending = asyncio.gather(*(append(key) for key in KEYS))
    seen: list[str] = []
    after: Position | None = None
    async with asyncio.timeout(PATIENCE):
        while len(seen) < len(wanted):
            page = await home.bus.read(after=after, limit=30)
            seen += names(page)
            after = page[-1].position if page else after
    await appending
    assert sorted(seen) == sorted(wanted)


async def test_events_of_all_partitions_come_in_the_order_they_were_received(
    home: KafkaHome,
) -> None:
    for number, key in enumerate(KEYS):
        await home.bus.append([keyed(f"{number:02d}", key)])
        # The log's clock has milliseconds.
        await _next_millisecond()
    assert names(await everything(home)) == [f"{number:02d}" for number in range(len(KEYS))]
    last = await home.bus.recent(5)
    assert names(last) == ["07", "08", "09", "10", "11"]
    assert names(await home.bus.read(after=last[2].position, limit=9)) == ["10", "11"]


async def _next_millisecond() -> None:
    loop = asyncio.get_running_loop()
    until = loop.time() + 0.003
    while loop.time() < until:
        await asyncio.sleep(0)


async def test_after_the_position_of_one_event_all_partitions_begin_at_its_time(
    home: KafkaHome,
) -> None:
    await home.bus.append([keyed(f"early {key}", key) for key in KEYS])
    await _next_millisecond()
    (receipt,) = await home.bus.append([keyed("here", KEYS[0])])
    await _next_millisecond()
    await home.bus.append([keyed(f"late {key}", key) for key in KEYS])
    found = names(await home.bus.read(after=receipt.position, limit=99))
    assert sorted(found) == sorted(f"late {key}" for key in KEYS)
    (record,) = await home.bus.find("here")
    assert record.position == receipt.position


async def test_an_event_is_found_behind_many_others(home: KafkaHome) -> None:
    await home.bus.append([event("the first of all")])
    for number in range(4):
        names_of = range(number * FIRST_WINDOW, (number + 1) * FIRST_WINDOW)
        await home.bus.append([event(f"{one:08d}") for one in names_of])
    assert names(await home.bus.find("the first of all")) == ["the first of all"]
    assert names(await home.bus.find("the fir")) == []
    assert names(await home.bus.find("the first")) == ["the first of all"]
    assert names(await home.bus.find("nothing at all")) == []


async def test_an_event_that_two_processes_have_stored_is_found_once(home: KafkaHome) -> None:
    (first,) = await home.bus.append([event("push")])
    async with home.another() as other:
        (second,) = await other.append([event("push")])
    assert first.position != second.position
    assert [record.position for record in await home.bus.find("push")] == [first.position]


async def test_a_record_that_is_no_event_is_left_out_of_what_is_looked_at(home: KafkaHome) -> None:
    await send_raw(home, b"first", headers=[])
    await home.bus.append([event("a")])
    await send_raw(home, b"between", headers=[("ce_id", b"between")])
    await home.bus.append([event("b")])
    await send_raw(home, b"last", headers=[])
    assert names(await everything(home)) == names(await home.bus.recent(9)) == ["a", "b"]
    assert list(await home.bus.find("between")) == []


@pytest.mark.parametrize(
    "position",
    ["", "last", "7", "a/b", "a/0/1", "a/0:1", "TOPIC/0/0", "TOPIC/99:0", "TOPIC/0:", "TOPIC/0/-1"],
)
async def test_a_position_from_elsewhere_is_refused(home: KafkaHome, position: str) -> None:
    with pytest.raises(Malformed):
        await home.bus.read(after=Position(position.replace("TOPIC", home.settings.topic)), limit=1)
