"""Check runs: `POST` and `PATCH /check-runs`, `GET` those of a commit or of a suite. For Apps only.

Protocol: https://docs.github.com/en/rest/checks/runs. A commit has one suite of the App's.
"""

from collections.abc import Iterable
from dataclasses import dataclass, field, replace
from itertools import count

from aiohttp import web
from pydantic import BaseModel

from hub.sandbox.github import objects
from hub.sandbox.github.objects import Json, Places
from hub.sandbox.github.rest import RestError, find_sha, invalid, not_found, parse, reply
from hub.sandbox.repository import Repository

_STATES = ("queued", "in_progress", "completed")
_CONCLUSIONS = (
    "action_required",
    "cancelled",
    "failure",
    "neutral",
    "success",
    "skipped",
    "timed_out",
)
_APP_TOKEN = "ghs_"  # noqa: S105 - the prefix of every installation token, not one of them
_APP = {"id": 1, "slug": "trunkline", "name": "Trunkline"}


class _Output(BaseModel):
    title: str
    summary: str
    text: str | None = None


class _Update(BaseModel):
    name: str | None = None
    status: str | None = None
    conclusion: str | None = None
    details_url: str | None = None
    external_id: str | None = None
    started_at: str | None = None
    completed_at: str | None = None
    output: _Output | None = None


class _Creation(_Update):
    head_sha: str


@dataclass(frozen=True, slots=True, kw_only=True)
class CheckRun:
    """One check run, as it is now."""

    id: int
    repository: str
    sha: str
    name: str
    status: str
    conclusion: str | None = None
    fields: Json = field(default_factory=dict)
    """What else was told of it, as it was told."""


class Checks:
    """The check runs of all commits."""

    def __init__(self) -> None:
        self._numbers = count(1)
        self._runs: dict[int, CheckRun] = {}
        self._suites: dict[tuple[str, str], int] = {}

    def of(self, repository: str, sha: str) -> tuple[CheckRun, ...]:
        """Return a commit's check runs, the oldest first."""
        runs = self._runs.values()
        return tuple(run for run in runs if (run.repository, run.sha) == (repository, sha))

    def suite_of(self, repository: str, sha: str) -> int:
        """Return the number of the suite that a commit's check runs are in."""
        return self._suites.setdefault((repository, sha), 1_000 + len(self._suites))

    async def create(
        self, request: web.Request, repository: Repository, places: Places
    ) -> web.Response:
        """Create a check run."""
        _admit_app(request)
        body = await parse(request, _Creation)
        if body.name is None:
            raise invalid("CheckRun", "name", "name wasn't supplied")
        sha = await find_sha(repository, body.head_sha)
        number = next(self._numbers)
        blank = CheckRun(
            id=number, repository=repository.name, sha=sha, name=body.name, status="queued"
        )
        self._runs[number] = _updated(blank, body)
        return reply(self.shown(places, self._runs[number]), status=201)

    async def update(
        self, request: web.Request, repository: Repository, places: Places
    ) -> web.Response:
        """Change a check run."""
        _admit_app(request)
        number = int(request.match_info["id"])
        run = self._runs.get(number)
        if run is None or run.repository != repository.name:
            raise not_found()
        self._runs[number] = _updated(run, await parse(request, _Update))
        return reply(self.shown(places, self._runs[number]))

    async def list(
        self, request: web.Request, repository: Repository, places: Places
    ) -> web.Response:
        """Answer with a commit's check runs."""
        sha = await find_sha(repository, request.match_info["ref"])
        return self._listed(request, self.of(repository.name, sha), places)

    async def list_suite(
        self, request: web.Request, repository: Repository, places: Places
    ) -> web.Response:
        """Answer with a suite's check runs."""
        suites = {number: key for key, number in self._suites.items()}
        name, sha = suites.get(int(request.match_info["suite"]), ("", ""))
        if name != repository.name:
            raise not_found()
        return self._listed(request, self.of(name, sha), places)

    def _listed(
        self, request: web.Request, runs: Iterable[CheckRun], places: Places
    ) -> web.Response:
        """Answer with check runs, the newest first; by default only the last one of each name."""
        wanted = request.query.get("check_name")
        named = [run for run in runs if wanted in {None, run.name}]
        if request.query.get("filter", "latest") == "latest":
            named = [*{run.name: run for run in named}.values()]
        shown = [self.shown(places, run) for run in reversed(named)]
        return reply({"total_count": len(shown), "check_runs": shown})

    def shown(self, places: Places, run: CheckRun) -> Json:
        """Return a check run as the REST API and the webhooks show it."""
        url = f"{places.api}/repos/{run.repository}/check-runs/{run.id}"
        page = f"{places.web}/{run.repository}/runs/{run.id}"
        return {
            "id": run.id,
            "node_id": objects.node("CR", str(run.id)),
            "head_sha": run.sha,
            "external_id": "",
            "url": url,
            "html_url": page,
            "details_url": page,
            "started_at": None,
            "completed_at": None,
            "output": None,
            **run.fields,
            "name": run.name,
            "status": run.status,
            "conclusion": run.conclusion,
            "app": _APP,
            "check_suite": {"id": self.suite_of(run.repository, run.sha)},
            "pull_requests": [],
        }


def _admit_app(request: web.Request) -> None:
    token = request.headers.get("Authorization", "").partition(" ")[2]
    if not token.startswith(_APP_TOKEN):
        raise RestError(403, "You must authenticate via a GitHub App.")


def _updated(run: CheckRun, body: _Update) -> CheckRun:
    conclusion = body.conclusion or run.conclusion
    # GitHub takes a conclusion alone for the end.
    status = "completed" if body.conclusion else body.status or run.status
    if status not in _STATES:
        raise invalid("CheckRun", "status", f"status must be one of {', '.join(_STATES)}")
    if status == "completed" and conclusion not in _CONCLUSIONS:
        raise invalid("CheckRun", "conclusion", "conclusion is missing or not in the list")
    told = body.model_dump(exclude_unset=True, exclude={"status", "conclusion", "name", "head_sha"})
    return replace(
        run,
        name=body.name or run.name,
        status=status,
        conclusion=conclusion,
        fields={**run.fields, **told},
    )
