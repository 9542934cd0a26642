"""What handlers read of GitHub's events.

Payloads: https://docs.github.com/en/webhooks/webhook-events-and-payloads. Older GitHub Enterprise
Servers leave fields out, so only what names the commit is demanded.
"""

from typing import ClassVar

from pydantic import AliasPath, Field, JsonValue

from hub.events.types import (
    CHECK_RUN_REREQUESTED,
    CHECK_SUITE_REREQUESTED,
    ISSUE_COMMENT_CREATED,
    PULL_REQUEST_OPENED,
    PULL_REQUEST_REOPENED,
    PULL_REQUEST_SYNCHRONIZE,
    PUSH,
)
from hub.events.view import View

_HEADS = "refs/heads/"
_TAGS = "refs/tags/"


class Push(View):
    """Commits were pushed, or a branch or tag came or went.

    The branch's name is data for people. What is built is the commit `after`.
    """

    types: ClassVar[tuple[str, ...]] = (PUSH,)

    repository: str = Field(validation_alias=AliasPath("repository", "full_name"))
    """`owner/name`."""
    clone_url: str | None = Field(None, validation_alias=AliasPath("repository", "clone_url"))
    ref: str
    """`refs/heads/...` or `refs/tags/...`."""
    after: str
    """The commit that the ref points at now; forty zeros where there is none."""
    before: str = ""
    """The commit that the ref pointed at; forty zeros where there was none."""
    forced: bool = False
    said_deleted: bool = Field(default=False, validation_alias="deleted")
    message: str | None = Field(None, validation_alias=AliasPath("head_commit", "message"))
    """The head commit's whole message."""
    pusher: str | None = Field(None, validation_alias=AliasPath("pusher", "name"))
    sender: str | None = Field(None, validation_alias=AliasPath("sender", "login"))
    compare_url: str | None = Field(None, validation_alias="compare")

    @property
    def name(self) -> str:
        """The repository's name without its owner."""
        return _name(self.repository)

    @property
    def branch(self) -> str | None:
        """Everything after `refs/heads/`, slashes too; None for a tag or any other ref."""
        return self.ref.removeprefix(_HEADS) if self.ref.startswith(_HEADS) else None

    @property
    def tag(self) -> str | None:
        """Everything after `refs/tags/`; None for a branch or any other ref."""
        return self.ref.removeprefix(_TAGS) if self.ref.startswith(_TAGS) else None

    @property
    def deleted(self) -> bool:
        """Whether the ref is gone. Either sign is enough, as real payloads have shown only one."""
        return self.said_deleted or not self.after.strip("0")

    @property
    def title(self) -> str:
        """The first line of the head commit's message; empty where there is no commit."""
        return _first_line(self.message)

    @property
    def author(self) -> str:
        """Who pushed, by login; empty where the payload does not say."""
        return self.sender or self.pusher or ""


class PullRequest(View):
    """A pull request that was opened or reopened, or whose head has moved."""

    types: ClassVar[tuple[str, ...]] = (
        PULL_REQUEST_OPENED,
        PULL_REQUEST_REOPENED,
        PULL_REQUEST_SYNCHRONIZE,
    )

    repository: str = Field(validation_alias=AliasPath("repository", "full_name"))
    """`owner/name` of the repository that is asked to pull."""
    clone_url: str | None = Field(None, validation_alias=AliasPath("repository", "clone_url"))
    number: int = Field(validation_alias=AliasPath("pull_request", "number"))
    title: str = Field("", validation_alias=AliasPath("pull_request", "title"))
    url: str | None = Field(None, validation_alias=AliasPath("pull_request", "html_url"))
    head_sha: str = Field(validation_alias=AliasPath("pull_request", "head", "sha"))
    head_ref: str = Field("", validation_alias=AliasPath("pull_request", "head", "ref"))
    """The head's branch, without `refs/heads/`."""
    head_repository: str | None = Field(
        None, validation_alias=AliasPath("pull_request", "head", "repo", "full_name")
    )
    """`owner/name` where the commits are; None where that repository is gone."""
    base_ref: str = Field("", validation_alias=AliasPath("pull_request", "base", "ref"))
    """The branch that is asked to pull, without `refs/heads/`."""
    base_repository: str | None = Field(
        None, validation_alias=AliasPath("pull_request", "base", "repo", "full_name")
    )
    sender: str | None = Field(None, validation_alias=AliasPath("sender", "login"))

    @property
    def name(self) -> str:
        """The repository's name without its owner."""
        return _name(self.repository)

    @property
    def fork(self) -> bool:
        """Whether the commits are from elsewhere: they are a stranger's, and get no secrets."""
        return self.head_repository is None or self.head_repository != self.base_repository

    @property
    def ref(self) -> str:
        """The ref under which GitHub keeps the head, in the repository itself."""
        return f"refs/pull/{self.number}/head"


class IssueComment(View):
    """Somebody has commented on an issue or a pull request."""

    types: ClassVar[tuple[str, ...]] = (ISSUE_COMMENT_CREATED,)

    repository: str = Field(validation_alias=AliasPath("repository", "full_name"))
    number: int = Field(validation_alias=AliasPath("issue", "number"))
    pull_request: JsonValue = Field(None, validation_alias=AliasPath("issue", "pull_request"))
    """There only on a pull request."""
    body: str | None = Field(None, validation_alias=AliasPath("comment", "body"))
    author: str = Field("", validation_alias=AliasPath("comment", "user", "login"))

    @property
    def name(self) -> str:
        """The repository's name without its owner."""
        return _name(self.repository)


class CheckRunRerequested(View):
    """Somebody who may write to the repository asks that a check is run again."""

    types: ClassVar[tuple[str, ...]] = (CHECK_RUN_REREQUESTED,)

    repository: str = Field(validation_alias=AliasPath("repository", "full_name"))
    check: str = Field(validation_alias=AliasPath("check_run", "name"))
    revision: str = Field(validation_alias=AliasPath("check_run", "head_sha"))
    run: str | None = Field(None, validation_alias=AliasPath("check_run", "external_id"))
    """What its author has said that it is the check run of."""


class CheckSuiteRerequested(View):
    """Somebody who may write to the repository asks that all checks of a commit are run again.

    GitHub sends it to the App whose checks they are, and names none of them.
    """

    types: ClassVar[tuple[str, ...]] = (CHECK_SUITE_REREQUESTED,)

    repository: str = Field(validation_alias=AliasPath("repository", "full_name"))
    suite: int = Field(validation_alias=AliasPath("check_suite", "id"))
    revision: str = Field(validation_alias=AliasPath("check_suite", "head_sha"))


def _name(repository: str) -> str:
    return repository.rpartition("/")[2]


def _first_line(message: str | None) -> str:
    lines = (message or "").strip().splitlines()
    return lines[0].rstrip() if lines else ""
