"""Retry policy: full jitter, a ceiling, an end, and respect for what the other side asked."""

import random

import pytest

from hub.dispatch.retry import RetryPolicy

POLICY = RetryPolicy(attempts=5, base_seconds=2.0, cap_seconds=10.0)


def delays(attempt: int, *, after: float | None = None) -> list[float | None]:
    chance = random.Random(7)
    return [POLICY.delay(attempt, after=after, chance=chance) for _ in range(500)]


@pytest.mark.parametrize(("attempt", "ceiling"), [(1, 2), (2, 4), (3, 8), (4, 10)])
def test_delays_are_spread_over_all_of_a_growing_range(attempt, ceiling):
    spread = delays(attempt)
    assert min(spread) < ceiling * 0.05
    assert ceiling * 0.95 < max(spread) <= ceiling


def test_the_last_attempt_is_not_followed_by_another():
    assert delays(5) == [None] * 500


def test_what_the_other_side_asked_for_is_the_least():
    assert min(delays(1, after=3600.0)) == 3600.0


def test_the_hundredth_attempt_of_a_long_ladder_overflows_nothing():
    ladder = RetryPolicy(attempts=10_000, base_seconds=1.0, cap_seconds=60.0)
    assert ladder.delay(9_000, after=None, chance=random.Random(1)) <= 60.0
