"""GitHub's REST API: commit statuses, pull requests, rights, and which of two commits is newer.

https://docs.github.com/en/rest. A rate limit pauses everything the hub asks of GitHub, as its best
practices demand. Repositories and revisions are checked before they stand in an address.
"""

import re
from datetime import datetime
from http import HTTPStatus
from typing import TypeVar

from pydantic import AwareDatetime, BaseModel, ConfigDict, ValidationError

from hub.actions.action import Call
from hub.actions.github import (
    FindCheckRun,
    KeepCheckRun,
    MayWrite,
    PullRequestNow,
    ReadPullRequest,
    SetCommitStatus,
)
from hub.clients.answer import Answer
from hub.clients.endpoint import Endpoint
from hub.clients.gitops.order import Comparison, Order
from hub.clients.http import Http, Request, path_of
from hub.clients.names import check_revision, split_repository
from hub.errors import PermanentError, TemporaryError
from hub.secrets import SecretPlace
from hub.settings import GitHubSettings

MAX_DESCRIPTION = 140
MAX_SUMMARY = 4_000
"""Characters of a check run's summary. GitHub takes 65,535; nobody reads them."""

_VERSION = (("Accept", "application/vnd.github+json"), ("X-GitHub-Api-Version", "2022-11-28"))


class _Part(BaseModel):
    model_config = ConfigDict(extra="ignore", hide_input_in_errors=True)


class _Status(_Part):
    state: str
    target_url: str | None
    description: str
    context: str


class _Output(_Part):
    title: str
    summary: str


class _CheckWritten(_Part):
    """https://docs.github.com/en/rest/checks/runs: what is not said stays as it is."""

    name: str
    head_sha: str | None = None
    """Only where it is created."""
    external_id: str
    details_url: str | None
    status: str | None
    conclusion: str | None
    started_at: str | None
    completed_at: str | None
    output: _Output


class _Check(_Part):
    id: int
    external_id: str | None = None
    status: str


class _Checks(_Part):
    check_runs: tuple[_Check, ...]


class _Signature(_Part):
    date: AwareDatetime


class _GitCommit(_Part):
    committer: _Signature


class _Commit(_Part):
    commit: _GitCommit


class _Compared(_Part):
    status: Order
    base_commit: _Commit


class _Repository(_Part):
    full_name: str


class _Side(_Part):
    sha: str
    ref: str
    repo: _Repository | None = None


class _Pull(_Part):
    number: int
    state: str
    head: _Side
    base: _Side


class _Permission(_Part):
    permission: str


_WRITERS = frozenset({"write", "admin"})
"""What the field `permission` says of those who may write; `maintain` is shown as `write`."""

_LOGIN = re.compile(r"[A-Za-z0-9](?:[A-Za-z0-9_-]{0,98}[A-Za-z0-9])?(?:\[bot\])?")

_P = TypeVar("_P", bound=_Part)


class GitHub:
    """One GitHub, with the rights of one token."""

    def __init__(self, *, settings: GitHubSettings, http: Http, token: SecretPlace | None) -> None:
        self._api = Endpoint(http, url=settings.api_url, system="GitHub", credential=token)

    async def set_status(self, action: SetCommitStatus, _call: Call) -> None:
        """Set a commit's status. https://docs.github.com/en/rest/commits/statuses."""
        body = _Status(
            state=action.state,
            target_url=action.target_url,
            description=_cut(" ".join(action.description.split())),
            context=action.context,
        )
        request = Request(
            method="POST",
            path=_path(action.repository, "statuses", check_revision(action.revision)),
            headers=_VERSION,
            body=body.model_dump_json(exclude_none=True).encode(),
        )
        await self._api.call(request, answered={HTTPStatus.CREATED})

    async def keep_check(self, action: KeepCheckRun, _call: Call) -> None:
        """Create a check run, or change the one of the same build that is not concluded yet."""
        revision = check_revision(action.revision)
        known = await self._find_check(action, revision)
        if known is not None and known.status == "completed":
            return
        written = _written(action)
        if known is None:
            method, path, made = "POST", _path(action.repository, "check-runs"), HTTPStatus.CREATED
            written = written.model_copy(update={"head_sha": revision})
        else:
            method, made = "PATCH", HTTPStatus.OK
            path = _path(action.repository, "check-runs", str(known.id))
        body = written.model_dump_json(exclude_none=True).encode()
        request = Request(method=method, path=path, headers=_VERSION, body=body)
        await self._api.call(request, answered={made})

    async def _find_check(self, action: KeepCheckRun, revision: str) -> _Check | None:
        path = _path(action.repository, "commits", revision, "check-runs")
        answer = await self._get(path, check_name=action.check, filter="all", per_page="100")
        if answer.status != HTTPStatus.OK:
            raise self._api.fault(answer)
        checks = _parsed(answer, _Checks).check_runs
        return next((one for one in checks if one.external_id == action.run), None)

    async def find_check(self, action: FindCheckRun, _call: Call) -> str | None:
        """Return of which build the last check run of a suite is; see `FindCheckRun`."""
        path = _path(action.repository, "check-suites", str(action.suite), "check-runs")
        answer = await self._get(path, check_name=action.check, filter="latest")
        if answer.status != HTTPStatus.OK:
            return None
        checks = _parsed(answer, _Checks).check_runs
        return next((one.external_id for one in checks if one.external_id), None)

    async def read_pull(self, action: ReadPullRequest, _call: Call) -> PullRequestNow | None:
        """Return a pull request as it is now. https://docs.github.com/en/rest/pulls/pulls."""
        answer = await self._get(_path(action.repository, "pulls", str(action.number)))
        if answer.status != HTTPStatus.OK:
            return None
        pull = _parsed(answer, _Pull)
        return PullRequestNow(
            number=pull.number,
            open=pull.state == "open",
            head_sha=check_revision(pull.head.sha),
            head_repository=pull.head.repo.full_name if pull.head.repo else "",
            base_repository=pull.base.repo.full_name if pull.base.repo else action.repository,
            base_ref=pull.base.ref,
        )

    async def may_write(self, action: MayWrite, _call: Call) -> bool:
        """Say whether somebody may write to a repository; a name that is none is nobody's.

        https://docs.github.com/en/rest/collaborators/collaborators.
        """
        if _LOGIN.fullmatch(action.user) is None:
            return False
        answer = await self._get(
            _path(action.repository, "collaborators", action.user, "permission")
        )
        if answer.status != HTTPStatus.OK:
            return False
        return _parsed(answer, _Permission).permission in _WRITERS

    async def compare(self, repository: str, base: str, head: str) -> Comparison:
        """Say how `head` stands to `base`, both full SHAs; UNKNOWN where GitHub cannot relate them.

        https://docs.github.com/en/rest/commits/commits#compare-two-commits.
        """
        span = f"{check_revision(base)}...{check_revision(head)}"
        # The second page: the list of changed files stands on the first, and is of no use here.
        answer = await self._get(_path(repository, "compare", span), page="2", per_page="1")
        if answer.status != HTTPStatus.OK:
            await self._check_readable(repository, head)
            return Comparison(order=Order.UNKNOWN)
        compared = _parsed(answer, _Compared)
        if compared.status is not Order.DIVERGED:
            return Comparison(order=compared.status)
        return Comparison(
            order=Order.DIVERGED,
            base_committed_at=compared.base_commit.commit.committer.date,
            head_committed_at=await self._committed_at(repository, head),
        )

    async def _committed_at(self, repository: str, revision: str) -> datetime:
        answer = await self._get(_path(repository, "commits", revision), per_page="1")
        if answer.status != HTTPStatus.OK:
            raise TemporaryError(f"GitHub compares a commit of {repository} but does not show it")
        return _parsed(answer, _Commit).commit.committer.date

    async def _check_readable(self, repository: str, revision: str) -> None:
        """Tell a commit that is not there (422) from a repository that may not be read (404)."""
        answer = await self._get(_path(repository, "commits", revision), per_page="1")
        if answer.status == HTTPStatus.NOT_FOUND:
            raise self._api.fault(answer)

    async def _get(self, path: str, **query: str) -> Answer:
        request = Request(
            method="GET", path=path, query=tuple(sorted(query.items())), headers=_VERSION
        )
        return await self._api.call(
            request,
            answered={HTTPStatus.OK, HTTPStatus.NOT_FOUND, HTTPStatus.UNPROCESSABLE_ENTITY},
        )


def _path(repository: str, *segments: str) -> str:
    owner, name = split_repository(repository)
    return path_of("repos", owner, name, *segments)


def _written(action: KeepCheckRun) -> _CheckWritten:
    state = action.state
    return _CheckWritten(
        name=action.check,
        external_id=action.run,
        details_url=action.url,
        status=None if state.concluded else state,
        conclusion=state if state.concluded else None,
        started_at=action.started_at or None,
        completed_at=action.finished_at or None if state.concluded else None,
        output=_Output(title=_cut(action.title), summary=_as_text(action.summary)),
    )


def _as_text(text: str) -> str:
    """Return plain text as Markdown that shows it as it is: a summary is Markdown."""
    longest = max((len(run) for run in re.findall("`+", text)), default=0)
    fence = "`" * max(3, longest + 1)
    return f"{fence}text\n{text[:MAX_SUMMARY]}\n{fence}" if text else ""


def _cut(text: str) -> str:
    return text if len(text) <= MAX_DESCRIPTION else f"{text[: MAX_DESCRIPTION - 1]}…"


def _parsed(answer: Answer, shape: type[_P]) -> _P:
    try:
        return shape.model_validate_json(answer.body)
    except ValidationError as error:
        raise PermanentError("GitHub sent an answer that cannot be read") from error
