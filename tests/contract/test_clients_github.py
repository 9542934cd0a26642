"""GitHub's client against the sandbox's GitHub, and against what was recorded of the real one."""

import json
from collections.abc import AsyncIterator
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from aiohttp import web

from hub.actions.action import Call
from hub.actions.github import SetCommitStatus, StatusState
from hub.clients.github import GitHub
from hub.clients.gitops.order import Order
from hub.clients.http import Http
from hub.errors import PermanentError, TemporaryError
from hub.events.envelope import Envelope
from hub.sandbox.clock import Clock
from hub.sandbox.faults import Down, Faults, Status
from hub.sandbox.github import GitHub as Hosting
from hub.sandbox.loopback import Loopback
from hub.secrets import SecretPlace
from hub.settings import GitHubSettings, Secret

DATA = Path(__file__).parent.parent / "data"
TOKEN = "ghs_0123456789012345678901234567890123456789"
ORDERS = "company/order-service"
ABSENT = "f" * 40
CALL = Call(
    event=Envelope(id="e", source="/s", type="t", partitionkey="k", data=b"{}"),
    handler="report_pipeline_status",
    step=0,
    attempt=1,
)


@dataclass
class Setting:
    hosting: Hosting
    faults: Faults
    github: GitHub

    async def commit(self, branch: str = "main", *, year: int = 2026) -> str:
        at = datetime(year, 1, 31, tzinfo=UTC)
        return (await self.hosting.push(ORDERS, branch, f"in {year}", at=at)).sha


@pytest.fixture
async def setting(tmp_path: Path) -> AsyncIterator[Setting]:
    faults = Faults()
    hosting = Hosting(faults=faults, folder=tmp_path / "git", clock=Clock(), token=TOKEN)
    await hosting.start()
    hosting.create_repository(ORDERS)
    token = Secret(variable="TOKEN")
    settings = GitHubSettings(api_url=hosting.url, token=token)
    place = SecretPlace(token, name="github.token", environment={"TOKEN": TOKEN})
    async with Http() as http:
        yield Setting(
            hosting=hosting,
            faults=faults,
            github=GitHub(settings=settings, http=http, token=place),
        )
    await hosting.stop()


def status_of(revision: str, **changes: Any) -> SetCommitStatus:
    plain = SetCommitStatus(
        repository=ORDERS,
        revision=revision,
        context="trunkline/ci",
        state=StatusState.PENDING,
        description="The pipeline is running",
        target_url="https://tekton.example.com/ci/run",
    )
    return replace(plain, **changes)


async def test_a_status_stands_on_its_commit(setting: Setting) -> None:
    sha = await setting.commit()

    await setting.github.set_status(status_of(sha), CALL)
    await setting.github.set_status(
        status_of(sha, state=StatusState.FAILURE, description="e" * 500, target_url=None), CALL
    )

    first, second = setting.hosting.statuses.of(ORDERS, sha)
    assert (first.context, first.state, first.target_url) == (
        "trunkline/ci",
        "pending",
        "https://tekton.example.com/ci/run",
    )
    assert (second.state, second.target_url) == ("failure", None)
    assert second.description == "e" * 139 + "…"


async def test_a_status_is_sent_as_recorded_with_the_real_github() -> None:
    recorded = json.loads((DATA / "github-api/octokit-fixtures/create-status.json").read_text())[0]
    sent: list[tuple[str, str, Any]] = []

    async def replay(request: web.Request) -> web.Response:
        sent.append((request.method.lower(), request.path, await request.json()))
        return web.json_response(recorded["response"], status=recorded["status"])

    app = web.Application()
    app.router.add_route("*", "/{path:.*}", replay)
    server = Loopback(app)
    body = recorded["body"]
    action = SetCommitStatus(
        repository="octokit-fixture-org/create-status",
        revision="0" * 39 + "1",
        context=body["context"],
        state=StatusState(body["state"]),
        description=body["description"],
        target_url=body["target_url"],
    )

    async with Http() as http:
        settings = GitHubSettings(api_url=await server.start())
        await GitHub(settings=settings, http=http, token=None).set_status(action, CALL)
    await server.stop()

    assert sent == [(recorded["method"], recorded["path"], body)]


async def test_commits_are_ordered_by_history(setting: Setting) -> None:
    older, newer = await setting.commit(), await setting.commit()
    github = setting.github

    assert (await github.compare(ORDERS, older, newer)).order is Order.AHEAD
    assert (await github.compare(ORDERS, newer, older)).order is Order.BEHIND
    assert (await github.compare(ORDERS, newer, newer)).order is Order.IDENTICAL


async def test_diverged_commits_come_with_their_times(setting: Setting) -> None:
    await setting.commit(year=2020)
    right = await setting.commit("side", year=2022)
    left = await setting.commit(year=2021)

    comparison = await setting.github.compare(ORDERS, left, right)

    assert comparison.order is Order.DIVERGED
    assert comparison.base_committed_at == datetime(2021, 1, 31, tzinfo=UTC)
    assert comparison.head_committed_at == datetime(2022, 1, 31, tzinfo=UTC)


async def test_a_commit_that_github_does_not_know_is_unknown(setting: Setting) -> None:
    known = await setting.commit()

    for base, head in ((known, ABSENT), (ABSENT, known)):
        assert (await setting.github.compare(ORDERS, base, head)).order is Order.UNKNOWN


async def test_a_repository_that_may_not_be_read_is_an_error_and_not_unknown(
    setting: Setting,
) -> None:
    with pytest.raises(PermanentError, match="404"):
        await setting.github.compare("company/secret", ABSENT, ABSENT)


@pytest.mark.parametrize("repository", ["company", "a/b/c", "../x", "company/..", "a b/c", ""])
async def test_a_name_that_is_no_repository_reaches_no_address(
    setting: Setting, repository: str
) -> None:
    nothing = setting.faults.fail("github", Down())
    with pytest.raises(PermanentError, match="owner/name"):
        await setting.github.compare(repository, ABSENT, ABSENT)
    with pytest.raises(PermanentError, match="SHA"):
        await setting.github.compare(ORDERS, "main", "../..")

    assert nothing.hits == 0


@pytest.mark.parametrize("status", [403, 429])
async def test_row_34_a_rate_limit_pauses_everything_that_is_asked_of_github(
    setting: Setting, status: int
) -> None:
    sha = await setting.commit()
    limited = setting.faults.fail("github", Status(status=status, retry_after=120))

    for _ in range(3):
        with pytest.raises(TemporaryError) as caught:
            await setting.github.set_status(status_of(sha), CALL)
        assert 100 < (caught.value.after or 0) <= 120
    with pytest.raises(TemporaryError):
        await setting.github.compare(ORDERS, sha, sha)

    assert limited.hits == 1


async def test_row_34_a_secondary_limit_without_a_time_waits_a_minute(setting: Setting) -> None:
    sha = await setting.commit()
    setting.faults.fail("github", Status(status=403), times=1)

    with pytest.raises(TemporaryError) as caught:
        await setting.github.set_status(status_of(sha), CALL)

    assert caught.value.after == 60


@pytest.mark.parametrize("kind", [Status(status=502), Down()])
async def test_what_github_did_not_manage_is_tried_again(
    setting: Setting, kind: Status | Down
) -> None:
    sha = await setting.commit()
    setting.faults.fail("github", kind, times=1)
    with pytest.raises(TemporaryError):
        await setting.github.set_status(status_of(sha), CALL)

    await setting.github.set_status(status_of(sha), CALL)

    assert len(setting.hosting.statuses.of(ORDERS, sha)) == 1


async def test_a_status_for_a_commit_that_is_not_there_is_given_up(setting: Setting) -> None:
    with pytest.raises(PermanentError, match="No commit found"):
        await setting.github.set_status(status_of(ABSENT), CALL)


async def test_a_wrong_token_is_told_of_by_its_place(setting: Setting) -> None:
    wrong = SecretPlace(
        Secret(variable="TOKEN"), name="github.token", environment={"TOKEN": "ghs_wrong"}
    )
    settings = GitHubSettings(api_url=setting.hosting.url)
    async with Http() as http:
        with pytest.raises(PermanentError, match=r"Bad credentials.*github\.token") as caught:
            await GitHub(settings=settings, http=http, token=wrong).compare(ORDERS, ABSENT, ABSENT)

    assert "ghs_wrong" not in str(caught.value)
