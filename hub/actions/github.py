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
