"""Which of two builds is newer: the order of their source commits, not of their arrival."""

import asyncio
from dataclasses import dataclass, replace
from datetime import datetime
from enum import StrEnum
from typing import Protocol

from hub.errors import PermanentError, TemporaryError, TrunklineError

_MAX_REMEMBERED = 10_000
"""A few megabytes."""

_MAX_AT_ONCE = 16
"""Far below the 100 requests at once that GitHub allows all of the hub."""

TIMEOUT_SECONDS = 20.0
"""A source that hangs must not hold back the bumps of other services for longer."""


class Order(StrEnum):
    """How a head stands to a base, in the words of GitHub's compare API."""

    AHEAD = "ahead"
    """The base is an ancestor of the head."""
    BEHIND = "behind"
    """The head is an ancestor of the base."""
    IDENTICAL = "identical"
    DIVERGED = "diverged"
    """Each has commits that the other has not."""
    UNKNOWN = "unknown"
    """The source does not know both commits, or sees no common history."""


_MIRRORED = {Order.AHEAD: Order.BEHIND, Order.BEHIND: Order.AHEAD}


@dataclass(frozen=True, slots=True, kw_only=True)
class Comparison:
    """How a head stands to a base."""

    order: Order
    base_committed_at: datetime | None = None
    head_committed_at: datetime | None = None
    """When each was committed (the committer's date, with its zone); needed where they diverged."""


class SourceOrder(Protocol):
    """What the gitops writer asks of the place where source commits live.

    GitHub: https://docs.github.com/en/rest/commits/commits#compare-two-commits.
    """

    async def compare(self, repository: str, base: str, head: str) -> Comparison:
        """Say how `head` stands to `base`, both full SHAs of the source `repository`.

        Raises TemporaryError where the source cannot say now, and PermanentError where it will
        never say. A repository that may not be read is an error, not UNKNOWN.
        """
        ...


_Asked = tuple[str, str, str]


class SourceHistory:
    """Says which of two source commits is newer, and asks the source no more than once.

    How two commits stand to each other never changes, so answers are kept. Failures are kept
    too, until `forget_failures`: what cannot be had now is not asked for again and again while
    everybody waits.
    """

    def __init__(self, source: SourceOrder, *, timeout: float = TIMEOUT_SECONDS) -> None:
        """`timeout` is in seconds, for each question."""
        self._source = source
        self._timeout = timeout
        self._answers: dict[_Asked, Comparison | TrunklineError] = {}
        self._silent: TemporaryError | None = None
        self._turns = asyncio.Semaphore(_MAX_AT_ONCE)

    async def is_newer(self, repository: str, revision: str, *, than: str) -> bool:
        """Whether `revision` comes after `than`; of diverged ones, whether it was committed later.

        Raises PermanentError where the source's commits have no order, and what the source raises.
        """
        found = await self._compare(repository, than, revision)
        if found.order is Order.DIVERGED:
            base, head = found.base_committed_at, found.head_committed_at
            if base and head:
                return head > base
        elif found.order is not Order.UNKNOWN:
            return found.order is Order.AHEAD
        raise PermanentError(
            f"{repository} does not say whether {revision[:12]} is newer than {than[:12]}, which "
            "was written last. To go on, write the image by hand, in a commit with the trailers "
            "Trunkline-Service, Trunkline-Environments and Trunkline-Revision"
        )

    def forget_failures(self) -> None:
        """Ask again where the source failed."""
        self._silent = None
        self._answers = {
            asked: answer
            for asked, answer in self._answers.items()
            if isinstance(answer, Comparison) and answer.order is not Order.UNKNOWN
        }

    async def _compare(self, repository: str, base: str, head: str) -> Comparison:
        asked = (repository, base, head)
        answer = self._answers.get(asked) or await self._ask(*asked)
        if isinstance(answer, TrunklineError):
            raise answer
        return answer

    async def _ask(self, repository: str, base: str, head: str) -> Comparison | TrunklineError:
        answer: Comparison | TrunklineError
        async with self._turns:
            if self._silent:
                return self._silent
            try:
                async with asyncio.timeout(self._timeout):
                    answer = await self._source.compare(repository, base, head)
            except TimeoutError:
                answer = self._silent = TemporaryError("the source does not answer in time")
            except TrunklineError as error:
                answer = error
        self._keep((repository, base, head), answer)
        if isinstance(answer, Comparison):
            self._keep((repository, head, base), _mirrored(answer))
        return answer

    def _keep(self, asked: _Asked, answer: Comparison | TrunklineError) -> None:
        if len(self._answers) >= _MAX_REMEMBERED:
            del self._answers[next(iter(self._answers))]
        self._answers[asked] = answer


def _mirrored(comparison: Comparison) -> Comparison:
    return replace(
        comparison,
        order=_MIRRORED.get(comparison.order, comparison.order),
        base_committed_at=comparison.head_committed_at,
        head_committed_at=comparison.base_committed_at,
    )
