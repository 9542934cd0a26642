"""What waits for too long is told of once, however often its conditions are dated anew."""

from datetime import UTC, datetime
from typing import Any

import orjson
import pytest

from hub.events.kubernetes import unix_time
from hub.events.types import COMPOSITE_STUCK
from hub.sources import crossplane
from hub.sources.interface import Seen, Sighting
from hub.watcher import Memory

NAME = "orders/orders-db"
NOON = unix_time("2026-03-02T12:00:00Z") or 0.0
STUCK_SECONDS = 900.0


def minute(number: int) -> float:
    return NOON + 60.0 * number


def at(time: float) -> str:
    return f"{datetime.fromtimestamp(time, UTC):%Y-%m-%dT%H:%M:%SZ}"


def failing(since: int, *, ready: str = "True", synced: str = "False", **metadata: str) -> Seen:
    """Describe a database whose conditions are of this minute; it was created at noon."""
    states = {"Synced": synced, "Ready": ready}
    body: dict[str, Any] = {
        "metadata": {
            "namespace": "orders",
            "name": "orders-db",
            "uid": "u-1",
            "creationTimestamp": at(NOON),
            **metadata,
        },
        "status": {
            "conditions": [
                {"type": one, "status": status, "lastTransitionTime": at(minute(since))}
                for one, status in states.items()
            ]
        },
    }
    return crossplane.see_composite(
        Sighting(
            cluster="platform",
            group="platform.company.com",
            version="v1alpha1",
            plural="postgresqlinstances",
            kind="PostgreSQLInstance",
            body=orjson.dumps(body),
        )
    )


@pytest.fixture
def memory() -> Memory:
    return Memory(stuck_seconds=STUCK_SECONDS, oldest_seconds=86_400.0)


def tell_overdue(memory: Memory, number: int) -> list[str]:
    """Tell what is overdue in this minute, and return its types."""
    told = []
    for name, overdue in memory.overdue(wall=minute(number)):
        told.append(overdue.event.type)
        memory.keep_warned(name, overdue)
    return told


def test_what_fails_anew_every_minute_is_stuck_all_the_same(memory: Memory) -> None:
    told: list[int] = []
    for number in range(40):
        memory.keep(NAME, failing(number))
        told += [number for _ in tell_overdue(memory, number)]
    assert told == [STUCK_SECONDS / 60]


def test_what_recovered_in_between_is_stuck_from_then_on(memory: Memory) -> None:
    memory.keep(NAME, failing(0))
    memory.keep(NAME, failing(10, synced="True"))
    memory.keep(NAME, failing(14))
    assert tell_overdue(memory, 28) == []
    assert tell_overdue(memory, 29) == [COMPOSITE_STUCK]


def test_one_trouble_after_the_other_is_one_long_one(memory: Memory) -> None:
    memory.keep(NAME, failing(0, synced="True", ready="False"))
    memory.keep(NAME, failing(10, ready="True"))
    assert tell_overdue(memory, 15) == [COMPOSITE_STUCK]


def test_a_deletion_that_hangs_is_told_of_after_the_failure_before_it(memory: Memory) -> None:
    memory.keep(NAME, failing(0))
    assert tell_overdue(memory, 15) == [COMPOSITE_STUCK]
    memory.keep(NAME, failing(20, deletionTimestamp=at(minute(20))))
    assert tell_overdue(memory, 34) == []
    assert tell_overdue(memory, 35) == [COMPOSITE_STUCK]


def test_another_object_of_the_same_name_begins_anew(memory: Memory) -> None:
    memory.keep(NAME, failing(0))
    memory.keep(NAME, failing(10, uid="u-2"))
    assert tell_overdue(memory, 24) == []
    assert tell_overdue(memory, 25) == [COMPOSITE_STUCK]


def test_what_recovers_while_others_are_told_of_is_not_told_of(memory: Memory) -> None:
    memory.keep("orders/first", failing(0))
    memory.keep(NAME, failing(0))
    told = memory.overdue(wall=minute(15))
    assert next(told)[0] == "orders/first"
    memory.keep(NAME, failing(15, synced="True"))
    assert list(told) == []


def test_what_is_dated_anew_while_it_is_told_of_is_told_of_once(memory: Memory) -> None:
    memory.keep(NAME, failing(0))
    ((_, overdue),) = memory.overdue(wall=minute(15))
    memory.keep(NAME, failing(15))
    memory.keep_warned(NAME, overdue)
    assert tell_overdue(memory, 16) == []
