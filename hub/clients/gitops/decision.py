"""What is asked of the writer, and what is decided about it. Values only."""

from dataclasses import dataclass
from datetime import UTC, datetime

from hub.actions.gitops import Bump, BumpImage, BumpState, EnvironmentBump
from hub.clients.gitops.commits import NewCommit
from hub.clients.gitops.history import Landed
from hub.errors import TrunklineError

_SHOWN_DIGITS = 12


@dataclass(frozen=True, slots=True, kw_only=True)
class Asked:
    """A bump that somebody waits for; its values were checked."""

    bump: BumpImage
    event: str
    """The key of the call: the same for every attempt at it."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Draft:
    """A bump that needs a commit."""

    commit: NewCommit
    environments: tuple[EnvironmentBump, ...]

    def landed(self, sha: str) -> Bump:
        """Return the answer, once the commit is on the branch."""
        return Bump(
            commit=sha, committed_at=_rfc3339(self.commit.at), environments=self.environments
        )


Decision = Draft | Bump | TrunklineError
"""A commit to be made, the answer where there is none to make, or why the bump cannot be made."""


def answer_again(bump: BumpImage, landed: Landed) -> Bump:
    """Answer with the commit that was made for this very call before."""
    return Bump(
        commit=landed.commit,
        committed_at=_rfc3339(landed.committed_at),
        environments=tuple(
            EnvironmentBump(environment=environment, state=BumpState.BUMPED)
            if environment in landed.environments
            else EnvironmentBump(
                environment=environment,
                state=BumpState.UNCHANGED,
                reason=f"{short(landed.commit)}, made for this event, left it as it was",
            )
            for environment in bump.environments
        ),
    )


def short(sha: str) -> str:
    """Return a SHA as people read it."""
    return sha[:_SHOWN_DIGITS]


def _rfc3339(moment: int) -> str:
    return datetime.fromtimestamp(moment, UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
