"""The parts of the log on Kafka that need no broker."""

import asyncio
from collections.abc import Iterator
from itertools import count
from typing import Any

import pytest
from aiokafka import ConsumerRecord, TopicPartition
from hypothesis import given
from hypothesis import strategies as st
from zstandard import ZstdCompressor

from hub.bus.interface import Position
from hub.bus.kafka.cluster import Cluster
from hub.bus.kafka.intake import ENOUGH_RECORDS, Intake
from hub.bus.kafka.memory import Known, Memory
from hub.bus.kafka.messages import ENCODING, LARGEST_BODY_BYTES, MessageWriter, Raw, read_message
from hub.bus.kafka.positions import Place, parse, position_behind, position_of
from hub.bus.kafka.topics import Topics
from hub.errors import Malformed, SettingsError
from hub.events.codec import to_kafka
from hub.events.envelope import Envelope
from hub.settings import KafkaSettings

EVENT = Envelope(id="1", source="/s", type="com.github.push", partitionkey="k", data=b"{}")
ONE, OTHER = TopicPartition("events", 0), TopicPartition("events", 1)


def raw(partition: TopicPartition, offset: int, *, value: bytes = b"", **others: Any) -> Raw:
    fields: dict[str, Any] = {
        "timestamp": 0,
        "timestamp_type": 1,
        "key": None,
        "checksum": None,
        "serialized_key_size": 0,
        "serialized_value_size": len(value),
        "headers": (),
        **others,
    }
    return ConsumerRecord(
        topic=partition.topic, partition=partition.partition, offset=offset, value=value, **fields
    )


def offsets(intake: Intake, limit: int = 99) -> list[tuple[int, int]]:
    return [(one.partition, one.offset) for one in intake.first(limit)]


def take_all(intake: Intake) -> None:
    for one in intake.first(ENOUGH_RECORDS):
        assert intake.take(one)


def test_what_is_revoked_drops_out_and_the_rest_keeps_its_order() -> None:
    intake = Intake()
    intake.put([raw(ONE, 5), raw(OTHER, 7), raw(ONE, 6), raw(OTHER, 8)])
    first, *_ = intake.first(1)
    intake.revoke([ONE])
    assert not intake.take(first)
    assert offsets(intake) == [(1, 7), (1, 8)]


def test_only_what_was_polled_since_the_partition_came_is_committed() -> None:
    intake = Intake()
    intake.put([raw(ONE, 5), raw(OTHER, 7)])
    take_all(intake)
    places = [Place(ONE, 5), Place(OTHER, 7)]
    assert intake.due(places) == {ONE: 6, OTHER: 8}
    intake.revoke([ONE])
    assert intake.due(places) == {OTHER: 8}
    intake.put([raw(ONE, 4)])
    take_all(intake)
    assert intake.due(places) == {OTHER: 8}


def test_a_late_commit_takes_nothing_back() -> None:
    intake = Intake()
    intake.put([raw(ONE, 5), raw(ONE, 6)])
    take_all(intake)
    intake.committed(intake.due([Place(ONE, 6)]))
    assert intake.due([Place(ONE, 5)]) == {}


def test_records_that_are_no_events_are_committed_with_the_event_before_them() -> None:
    intake = Intake()
    intake.put([raw(ONE, number) for number in range(5, 9)])
    for wanted in intake.first(2):
        assert intake.take(wanted)
    for poison in intake.first(2):
        intake.pass_over(poison)
    assert intake.passed() == {}
    assert intake.due([Place(ONE, 5)]) == {ONE: 6}
    assert intake.due([Place(ONE, 6)]) == {ONE: 9}


def test_records_that_are_no_events_are_committed_alone_where_nothing_waits() -> None:
    intake = Intake()
    intake.put([raw(ONE, 5), raw(ONE, 6)])
    intake.pass_over(intake.first(1)[0])
    assert intake.passed() == {ONE: 6}
    take_all(intake)
    assert intake.passed() == {}
    intake.committed(intake.due([Place(ONE, 6)]))
    assert intake.passed() == {}


def test_an_intake_is_full_by_number_and_by_size() -> None:
    few, many = Intake(), Intake()
    few.put(raw(ONE, number, value=bytes(9 << 20)) for number in range(4))
    assert few.full
    assert offsets(few) == [(0, 0), (0, 1), (0, 2), (0, 3)]
    assert len(offsets(few, 2)) == 2
    many.put(raw(ONE, number) for number in range(ENOUGH_RECORDS))
    assert many.full
    many.revoke_all()
    assert not many.full


async def test_whoever_waits_for_an_intake_wakes_when_it_is_filled() -> None:
    intake = Intake()
    waiting = asyncio.create_task(intake.filled())
    await asyncio.wait([waiting], timeout=0.01)
    assert not waiting.done()
    intake.put([raw(ONE, 1)])
    await waiting


topics = st.from_regex(r"[A-Za-z0-9._-]{1,20}", fullmatch=True)
partitions = st.builds(TopicPartition, topics, st.integers(0, 9999))
places = st.integers(0, 10**17)


@given(partitions, places)
def test_the_position_of_a_record_is_read_as_it_was_written(
    partition: TopicPartition, offset: int
) -> None:
    assert parse(position_of(*partition, offset)) == Place(partition, offset)


@given(st.dictionaries(partitions, places, min_size=1, max_size=6))
def test_a_position_in_all_partitions_is_read_as_it_was_written(
    cursor: dict[TopicPartition, int],
) -> None:
    assert parse(position_behind(cursor)) == cursor


@pytest.mark.parametrize("text", ["", "1", "a/b/c", "a/0/1;b/0/1", "a/0:1;", "a/0:1,", "a/٣/1"])
def test_a_position_from_elsewhere_is_malformed(text: str) -> None:
    with pytest.raises(Malformed):
        parse(Position(text))


def digests() -> Iterator[bytes]:
    return (number.to_bytes(16, "big") for number in count())


def test_the_memory_keeps_the_latest_and_is_bounded() -> None:
    memory = Memory(most=100)
    known = Known(b"body", Position("events/0/1"))
    names = [name for name, _ in zip(digests(), range(1000), strict=False)]
    for name in names:
        memory.remember(name, known)
    assert all(memory.known(name) for name in names[-50:])
    assert sum(memory.known(name) is not None for name in names) <= 100


async def test_a_body_is_packed_and_unpacked() -> None:
    message = await MessageWriter(packed=True).write(EVENT, topic="events")
    assert ENCODING in message.headers
    record = raw(ONE, 0, value=message.value, key=message.key, headers=message.headers)
    assert await read_message(record) == EVENT


def bombs() -> Iterator[bytes]:
    """Yield what unpacks to more than is taken, with its size in front and without."""
    body = bytes(LARGEST_BODY_BYTES + 1)
    yield ZstdCompressor().compress(body)
    stream = ZstdCompressor().compressobj()
    yield stream.compress(body) + stream.flush()
    yield b"no zstd at all"
    yield b""


async def test_a_body_that_unpacks_to_too_much_is_malformed() -> None:
    headers = (*to_kafka(EVENT).headers, ENCODING)
    for value in bombs():
        with pytest.raises(Malformed):
            await read_message(raw(ONE, 0, value=value, key=b"k", headers=headers))


def test_the_longest_prefix_names_the_topic() -> None:
    routes = {"com.": "com", "com.github.": "github", "com.github.push": "push"}
    named = Topics(KafkaSettings(topic="rest", topics=routes))
    found = [named.of(one) for one in ("com.github.push", "com.github.x", "com.x", "io.x")]
    assert found == ["push", "github", "com", "rest"]
    assert named.names == ("com", "github", "push", "rest")


def security(*servers: str, tls: bool | None = None) -> object:
    settings = KafkaSettings(tls=tls)
    cluster = Cluster(servers=servers, settings=settings, password=None, instance="hub")
    return cluster._security()["security_protocol"]


def test_connections_are_encrypted_unless_they_stay_on_this_machine() -> None:
    assert security("127.0.0.1:9092", "[::1]:9092", "localhost:9092") == "PLAINTEXT"
    assert security("127.0.0.1:9092", "kafka:9092") == "SSL"
    assert security("10.0.0.1:9092") == "SSL"
    assert security("10.0.0.1:9092", tls=False) == "PLAINTEXT"
    assert security("127.0.0.1:9092", tls=True) == "SSL"


def test_a_certificate_that_is_not_there_is_a_mistake_of_the_settings() -> None:
    settings = KafkaSettings.model_validate({"ca_file": "/nowhere/ca.pem"})
    with pytest.raises(SettingsError, match=r"kafka\.ca_file"):
        Cluster(servers=["kafka:9092"], settings=settings, password=None, instance="hub")
