"""Which build is newer, and what happens where nobody can say."""

import asyncio
from datetime import UTC, datetime, timedelta

import pytest

from hub.clients.gitops.order import Comparison, Order, SourceHistory
from hub.errors import PermanentError, TemporaryError, TrunklineError

OLD, NEW = "0" * 40, "1" * 40
NOON = datetime(2026, 1, 1, 12, tzinfo=UTC)


class Told:
    """A source that gives one answer, and counts how often it was asked."""

    def __init__(self, answer: Comparison | TrunklineError) -> None:
        self.answer = answer
        self.asked = 0

    async def compare(self, repository: str, base: str, head: str) -> Comparison:
        self.asked += 1
        if isinstance(self.answer, TrunklineError):
            raise self.answer
        return self.answer


class Silent:
    """A source that never answers."""

    def __init__(self) -> None:
        self.asked = 0

    async def compare(self, repository: str, base: str, head: str) -> Comparison:
        self.asked += 1
        await asyncio.Event().wait()
        raise AssertionError


async def is_newer(history: SourceHistory, repository: str = "company/shop") -> bool:
    return await history.is_newer(repository, NEW, than=OLD)


@pytest.mark.parametrize(
    ("order", "newer"), [(Order.AHEAD, True), (Order.BEHIND, False), (Order.IDENTICAL, False)]
)
async def test_what_comes_after_is_newer(order: Order, newer: bool) -> None:  # noqa: FBT001
    assert await is_newer(SourceHistory(Told(Comparison(order=order)))) is newer


@pytest.mark.parametrize(("hours", "newer"), [(1, True), (-1, False), (0, False)])
async def test_of_diverged_commits_the_later_one_is_newer(hours: int, newer: bool) -> None:  # noqa: FBT001
    later = NOON + timedelta(hours=hours)
    told = Comparison(
        order=Order.DIVERGED, base_committed_at=NOON, head_committed_at=later.astimezone(UTC)
    )
    assert await is_newer(SourceHistory(Told(told))) is newer


@pytest.mark.parametrize(
    "told",
    [
        Comparison(order=Order.UNKNOWN),
        Comparison(order=Order.DIVERGED),
        Comparison(order=Order.DIVERGED, base_committed_at=NOON),
    ],
)
async def test_what_has_no_order_is_never_guessed(told: Comparison) -> None:
    with pytest.raises(PermanentError, match="company/shop does not say whether 111111111111"):
        await is_newer(SourceHistory(Told(told)))


async def test_an_answer_is_kept_in_both_directions() -> None:
    source = Told(Comparison(order=Order.AHEAD))
    history = SourceHistory(source)
    assert await history.is_newer("company/shop", NEW, than=OLD)
    assert not await history.is_newer("company/shop", OLD, than=NEW)
    history.forget_failures()
    assert await history.is_newer("company/shop", NEW, than=OLD)
    assert source.asked == 1


async def test_answers_of_different_repositories_are_kept_apart() -> None:
    source = Told(Comparison(order=Order.AHEAD))
    history = SourceHistory(source)
    assert await is_newer(history, "company/shop")
    source.answer = Comparison(order=Order.BEHIND)
    assert not await is_newer(history, "company/mail")


@pytest.mark.parametrize("failure", [TemporaryError("down"), PermanentError("gone")])
async def test_a_failure_is_kept_until_it_is_forgotten(failure: TrunklineError) -> None:
    source = Told(failure)
    history = SourceHistory(source)
    for _ in range(2):
        with pytest.raises(type(failure)):
            await is_newer(history)
    assert source.asked == 1
    history.forget_failures()
    source.answer = Comparison(order=Order.AHEAD)
    assert await is_newer(history)


async def test_a_source_that_hangs_is_asked_once_however_many_wait() -> None:
    source = Silent()
    history = SourceHistory(source, timeout=0.01)
    for repository in ("company/shop", "company/mail", "company/web"):
        with pytest.raises(TemporaryError, match="does not answer in time"):
            await is_newer(history, repository)
    assert source.asked == 1


async def test_no_more_than_so_many_answers_are_kept() -> None:
    source = Told(Comparison(order=Order.AHEAD))
    history = SourceHistory(source)
    for number in range(5_100):
        await history.is_newer("company/shop", f"{number:040x}", than=NEW)
    assert source.asked == 5_100
    await history.is_newer("company/shop", f"{0:040x}", than=NEW)
    assert source.asked == 5_101
    await history.is_newer("company/shop", f"{5_099:040x}", than=NEW)
    assert source.asked == 5_101
