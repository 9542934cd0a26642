"""Positions on a log of several partitions.

A receipt names one place, `topic/partition/offset`. Who reads all partitions together needs to know
how far it is in each: `topic/partition:next,partition:next;topic/...`.
"""

import re
from collections.abc import Mapping
from dataclasses import dataclass

from aiokafka import TopicPartition

from hub.bus.interface import Position
from hub.errors import Malformed

_NUMBER = r"\d{1,18}"
_TOPIC = r"[A-Za-z0-9._-]+"
_PLACE = re.compile(rf"({_TOPIC})/(\d{{1,9}})/({_NUMBER})", re.ASCII)
_OFFSETS = rf"{_TOPIC}/\d{{1,9}}:{_NUMBER}(?:,\d{{1,9}}:{_NUMBER})*"
_CURSOR = re.compile(rf"{_OFFSETS}(?:;{_OFFSETS})*", re.ASCII)

Cursor = Mapping[TopicPartition, int]
"""The next offset in each partition."""


@dataclass(frozen=True, slots=True)
class Place:
    """Where one record stands."""

    partition: TopicPartition
    offset: int


def position_of(topic: str, partition: int, offset: int) -> Position:
    """Return the position of one record."""
    return Position(f"{topic}/{partition}/{offset}")


def position_behind(cursor: Cursor) -> Position:
    """Return the position that has read so far in each partition."""
    topics: dict[str, list[str]] = {}
    for (topic, partition), offset in sorted(cursor.items()):
        topics.setdefault(topic, []).append(f"{partition}:{offset}")
    return Position(";".join(f"{topic}/{','.join(parts)}" for topic, parts in topics.items()))


def parse(position: Position) -> Place | Cursor:
    """Return what a position says. Raises Malformed where it is none."""
    if (place := _PLACE.fullmatch(position)) is not None:
        topic, partition, offset = place.groups()
        return Place(TopicPartition(topic, int(partition)), int(offset))
    if _CURSOR.fullmatch(position) is None:
        raise Malformed("this is no position on the log: it comes from elsewhere")
    return {
        TopicPartition(topic, int(partition)): int(offset)
        for topic, _, parts in (group.partition("/") for group in position.split(";"))
        for partition, _, offset in (part.partition(":") for part in parts.split(","))
    }
