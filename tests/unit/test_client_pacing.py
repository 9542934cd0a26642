"""Pauses that were ordered, and turns that are handed out, in a time of the test's own."""

from itertools import pairwise

import pytest

from hub.clients.pacing import Pauses, Turns
from hub.errors import TemporaryError


class Time:
    def __init__(self) -> None:
        self.now = 1000.0
        self.slept: list[float] = []

    def monotonic(self) -> float:
        return self.now

    async def sleep(self, seconds: float) -> None:
        self.slept.append(seconds)
        self.now += seconds


def remaining(pauses: Pauses, lane: str) -> float:
    try:
        pauses.check(lane)
    except TemporaryError as error:
        return error.after or 0.0
    return 0.0


def test_a_pause_holds_its_lane_and_no_other() -> None:
    time = Time()
    pauses = Pauses(monotonic=time.monotonic)

    pauses.begin("#deployments", 3600)
    time.now += 600

    assert remaining(pauses, "#deployments") == 3000
    assert remaining(pauses, "#incidents") == 0


def test_a_pause_ends_by_itself_and_is_not_shortened() -> None:
    time = Time()
    pauses = Pauses(monotonic=time.monotonic)

    pauses.begin("lane", 60)
    pauses.begin("lane", 5)
    assert remaining(pauses, "lane") == 60

    time.now += 60
    assert remaining(pauses, "lane") == 0


async def test_messages_of_one_channel_leave_one_second_apart() -> None:
    time = Time()
    turns = Turns(seconds=1.0, monotonic=time.monotonic, sleep=time.sleep)

    for number in range(3):
        await turns.wait("#deployments", str(number))
    await turns.wait("#incidents", "other")

    assert time.slept == [1.0, 1.0]


async def test_row_101_a_burst_is_told_when_to_come_back_and_keeps_its_order() -> None:
    time = Time()
    turns = Turns(seconds=1.0, monotonic=time.monotonic, sleep=time.sleep)
    due: dict[float, int] = {}
    sent: list[tuple[float, int]] = []

    for number in range(500):
        try:
            await turns.wait("#deployments", str(number))
        except TemporaryError as error:
            due[time.now + (error.after or 0.0)] = number
        else:
            sent.append((time.now, number))
    for at, number in sorted(due.items()):
        time.now = max(time.now, at)
        await turns.wait("#deployments", str(number))
        sent.append((time.now, number))

    assert [number for _, number in sent] == list(range(500))
    assert all(later - earlier >= 1 for (earlier, _), (later, _) in pairwise(sent))
    assert max(time.slept, default=0) <= 2.0


async def test_a_turn_that_nobody_comes_back_for_is_forgotten() -> None:
    time = Time()
    turns = Turns(seconds=10.0, monotonic=time.monotonic, sleep=time.sleep)
    await turns.wait("lane", "first")
    with pytest.raises(TemporaryError):
        await turns.wait("lane", "lost")

    time.now += 10_000
    await turns.wait("lane", "second")
    with pytest.raises(TemporaryError):
        await turns.wait("lane", "third")
    time.now += 10_000
    await turns.wait("lane", "lost")

    assert time.slept == []
