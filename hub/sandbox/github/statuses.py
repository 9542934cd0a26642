"""Commit statuses: `POST /statuses/{sha}`, `GET /commits/{ref}/status` and `/statuses`.

Protocol: https://docs.github.com/en/rest/commits/statuses.
"""

from collections import defaultdict
from dataclasses import dataclass
from datetime import UTC, datetime
from itertools import count
from typing import Literal

from aiohttp import web
from pydantic import BaseModel

from hub.sandbox.clock import rfc3339
from hub.sandbox.github import objects
from hub.sandbox.github.objects import Json, Places
from hub.sandbox.github.payloads import SENDER
from hub.sandbox.github.rest import RestError, find_sha, invalid, parse, reply
from hub.sandbox.repository import Repository

_STATES = ("error", "failure", "pending", "success")
_MAX_PER_CONTEXT = 1000
_MAX_DESCRIPTION = 140


class _Body(BaseModel):
    state: str
    target_url: str | None = None
    description: str | None = None
    context: str = "default"


@dataclass(frozen=True, slots=True, kw_only=True)
class CommitStatus:
    """One status, as it was set."""

    id: int
    sha: str
    state: str
    context: str
    description: str | None
    target_url: str | None
    created_at: datetime


class Statuses:
    """The statuses of all commits."""

    def __init__(self) -> None:
        self._numbers = count(1)
        self._kept: defaultdict[tuple[str, str], list[CommitStatus]] = defaultdict(list)

    def of(self, repository: str, sha: str) -> tuple[CommitStatus, ...]:
        """Return every status of a commit, in the order they were set."""
        return tuple(self._kept.get((repository, sha), ()))

    def latest(self, repository: str, sha: str) -> tuple[CommitStatus, ...]:
        """Return the last status of each context."""
        return tuple({one.context: one for one in self.of(repository, sha)}.values())

    async def create(
        self, request: web.Request, repository: Repository, places: Places
    ) -> web.Response:
        """Set a status."""
        body = await parse(request, _Body)
        _check(body)
        sha = await find_sha(repository, request.match_info["sha"])
        kept = self._kept[repository.name, sha]
        if sum(one.context == body.context for one in kept) >= _MAX_PER_CONTEXT:
            raise RestError(422, "This SHA and context has reached the maximum number of statuses.")
        kept.append(self._new(sha, body))
        return reply(_shown(places, repository, kept[-1]), status=201)

    async def combine(
        self, request: web.Request, repository: Repository, places: Places
    ) -> web.Response:
        """Answer with the combined state and the last status of each context."""
        sha = await find_sha(repository, request.match_info["ref"])
        latest = self.latest(repository.name, sha)
        url = f"{places.api}/repos/{repository.name}/commits/{sha}"
        shown = {
            "state": _combined([one.state for one in latest]),
            "statuses": [_shown(places, repository, one) for one in latest],
            "sha": sha,
            "total_count": len(latest),
            "repository": objects.repository(
                places, repository.name, default_branch=repository.default_branch
            ),
            "commit_url": url,
            "url": f"{url}/status",
        }
        return reply(shown)

    async def list(
        self, request: web.Request, repository: Repository, places: Places
    ) -> web.Response:
        """Answer with every status of a commit, the newest first."""
        sha = await find_sha(repository, request.match_info["ref"])
        newest_first = reversed(self.of(repository.name, sha))
        return reply([_shown(places, repository, one) for one in newest_first])

    def _new(self, sha: str, body: _Body) -> CommitStatus:
        return CommitStatus(
            id=next(self._numbers),
            sha=sha,
            state=body.state,
            context=body.context,
            description=body.description,
            target_url=body.target_url,
            created_at=datetime.now(UTC),
        )


def _check(body: _Body) -> None:
    if body.state not in _STATES:
        raise invalid("Status", "state", "state is not included in the list")
    if body.description is not None and len(body.description) > _MAX_DESCRIPTION:
        raise invalid(
            "Status", "description", f"description is too long (maximum is {_MAX_DESCRIPTION})"
        )
    if body.target_url and not body.target_url.startswith(("http://", "https://")):
        raise invalid("Status", "target_url", "target_url must use http(s) scheme")


def _combined(states: list[str]) -> Literal["failure", "pending", "success"]:
    if {"error", "failure"} & {*states}:
        return "failure"
    return "success" if states and {*states} == {"success"} else "pending"


def _shown(places: Places, repository: Repository, one: CommitStatus) -> Json:
    created_at = rfc3339(one.created_at)
    creator = objects.user(places, SENDER)
    return {
        "url": f"{places.api}/repos/{repository.name}/statuses/{one.sha}",
        "avatar_url": creator["avatar_url"],
        "id": one.id,
        "node_id": objects.node("SC", str(one.id)),
        "state": one.state,
        "description": one.description,
        "target_url": one.target_url,
        "context": one.context,
        "created_at": created_at,
        "updated_at": created_at,
        "creator": creator,
    }
