"""GitHub: commit statuses.

API: https://docs.github.com/en/rest/commits/statuses.
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
