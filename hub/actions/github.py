"""GitHub: commit statuses, the head of a pull request, and who may write to a repository.

API: https://docs.github.com/en/rest/commits/statuses, `/rest/pulls/pulls` and
`/rest/collaborators/collaborators`.
"""

from dataclasses import dataclass
from enum import StrEnum
from typing import ClassVar

from hub.actions.action import Action


class StatusState(StrEnum):
    """The states of a commit status."""

    PENDING = "pending"
    SUCCESS = "success"
    FAILURE = "failure"
    ERROR = "error"


@dataclass(frozen=True, slots=True, kw_only=True)
class SetCommitStatus(Action[None]):
    """Set a commit's status under one context. Setting it again to the same does no harm."""

    name: ClassVar[str] = "github.set_commit_status"
    result: ClassVar[object] = None

    repository: str
    revision: str
    context: str
    state: StatusState
    description: str
    """At most 140 characters are kept."""
    target_url: str | None = None

    def supposed(self) -> None:
        """Nothing comes back."""


class CheckState(StrEnum):
    """Where a check run stands; the last four are conclusions."""

    QUEUED = "queued"
    IN_PROGRESS = "in_progress"
    SUCCESS = "success"
    FAILURE = "failure"
    CANCELLED = "cancelled"
    TIMED_OUT = "timed_out"

    @property
    def concluded(self) -> bool:
        """Whether nothing more will come of it."""
        return self not in {CheckState.QUEUED, CheckState.IN_PROGRESS}


@dataclass(frozen=True, slots=True, kw_only=True)
class KeepCheckRun(Action[None]):
    """Create the check run of one build, or bring it up to date.

    Once it is concluded, nothing that comes late opens it again. For GitHub Apps only:
    https://docs.github.com/en/rest/checks/runs.
    """

    name: ClassVar[str] = "github.keep_check_run"
    result: ClassVar[object] = None

    repository: str
    revision: str
    check: str
    """What people call it, such as `trunkline/ci`."""
    run: str
    """What it is the check run of; GitHub keeps it, and gives it back where it is asked for
    again."""
    state: CheckState
    title: str
    summary: str
    """Plain text."""
    url: str | None = None
    started_at: str = ""
    finished_at: str = ""

    def supposed(self) -> None:
        """Nothing comes back."""


@dataclass(frozen=True, slots=True, kw_only=True)
class FindCheckRun(Action[str | None]):
    """Find the last check run of a suite, and return what it is the check run of.

    None where the suite has none of that name, or its author did not say.
    """

    name: ClassVar[str] = "github.find_check_run"
    result: ClassVar[object] = str | None
    reads: ClassVar[bool] = True

    repository: str
    suite: int
    check: str

    def supposed(self) -> str | None:
        """There is none."""
        return None


@dataclass(frozen=True, slots=True, kw_only=True)
class PullRequestNow:
    """A pull request as GitHub has it now, whatever an event said of it."""

    number: int
    open: bool
    head_sha: str
    head_repository: str
    """Where the commits are; empty where that repository is gone."""
    base_repository: str
    base_ref: str

    @property
    def fork(self) -> bool:
        """Whether the commits are from elsewhere. What is gone was elsewhere, too."""
        return self.head_repository.lower() != self.base_repository.lower()


@dataclass(frozen=True, slots=True, kw_only=True)
class ReadPullRequest(Action[PullRequestNow | None]):
    """Read a pull request; None where GitHub has none, or is not configured."""

    name: ClassVar[str] = "github.read_pull_request"
    result: ClassVar[object] = PullRequestNow | None
    reads: ClassVar[bool] = True

    repository: str
    number: int

    def supposed(self) -> PullRequestNow | None:
        """None is known."""
        return None


@dataclass(frozen=True, slots=True, kw_only=True)
class MayWrite(Action[bool]):
    """Ask whether somebody may write to a repository: `write`, `maintain` or `admin`."""

    name: ClassVar[str] = "github.may_write"
    result: ClassVar[type] = bool
    reads: ClassVar[bool] = True

    repository: str
    user: str

    def supposed(self) -> bool:
        """Nobody may."""
        return False
