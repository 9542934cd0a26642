"""Check runs on the sandbox's GitHub: one for each build, and concluded once."""

from collections.abc import AsyncIterator
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import pytest

from hub.actions.action import Call
from hub.actions.github import CheckState, FindCheckRun, KeepCheckRun
from hub.clients.github import GitHub
from hub.clients.http import Http
from hub.errors import PermanentError, TemporaryError
from hub.events.envelope import Envelope
from hub.sandbox.clock import Clock
from hub.sandbox.faults import Faults, ResetAfterEffect
from hub.sandbox.github import GitHub as Hosting
from hub.secrets import SecretPlace
from hub.settings import GitHubSettings, Secret

TOKEN = "ghs_0123456789012345678901234567890123456789"
PERSONAL = "github_pat_0123456789"
ORDERS = "company/order-service"
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
    check: KeepCheckRun

    def stand(self) -> list[tuple[str, str | None, str]]:
        """How the check runs of the commit stand, and of which builds they are."""
        found = self.hosting.checks.of(ORDERS, self.check.revision)
        return [(one.status, one.conclusion, one.fields["external_id"]) for one in found]


async def opened(folder: Path, token: str) -> AsyncIterator[Setting]:
    faults = Faults()
    hosting = Hosting(faults=faults, folder=folder / "git", clock=Clock(), token=token)
    await hosting.start()
    hosting.create_repository(ORDERS)
    commit = await hosting.push(ORDERS, "main", "Change it")
    secret = Secret(variable="TOKEN")
    settings = GitHubSettings(api_url=hosting.url, token=secret, checks=True)
    place = SecretPlace(secret, name="github.token", environment={"TOKEN": token})
    check = KeepCheckRun(
        repository=ORDERS,
        revision=commit.sha,
        check="trunkline/ci",
        run="ci/order-service-1/uid-1",
        state=CheckState.IN_PROGRESS,
        title="The pipeline is running",
        summary="",
        url="https://tekton.example.com/ci/run",
        started_at="2026-03-02T12:00:00Z",
    )
    async with Http() as http:
        github = GitHub(settings=settings, http=http, token=place)
        yield Setting(hosting=hosting, faults=faults, github=github, check=check)
    await hosting.stop()


@pytest.fixture
async def setting(tmp_path: Path) -> AsyncIterator[Setting]:
    async for one in opened(tmp_path, TOKEN):
        yield one


def concluded(check: KeepCheckRun, state: CheckState, **changes: Any) -> KeepCheckRun:
    return replace(check, state=state, finished_at="2026-03-02T12:05:00Z", **changes)


async def test_a_build_has_one_check_run_from_its_wait_to_its_end(setting: Setting) -> None:
    check, keep = setting.check, setting.github.keep_check
    await keep(replace(check, state=CheckState.QUEUED), CALL)
    assert setting.stand() == [("queued", None, check.run)]
    await keep(check, CALL)
    assert setting.stand() == [("in_progress", None, check.run)]
    await keep(concluded(check, CheckState.TIMED_OUT, title="It took too long"), CALL)
    assert setting.stand() == [("completed", "timed_out", check.run)]
    (found,) = setting.hosting.checks.of(ORDERS, check.revision)
    assert found.name == "trunkline/ci"
    assert found.fields["output"]["title"] == "It took too long"
    assert found.fields["details_url"] == "https://tekton.example.com/ci/run"
    assert found.fields["completed_at"] == "2026-03-02T12:05:00Z"


async def test_the_last_check_run_of_a_suite_says_of_which_build_it_is(setting: Setting) -> None:
    check, keep = setting.check, setting.github.keep_check
    suite = setting.hosting.checks.suite_of(ORDERS, check.revision)
    wanted = FindCheckRun(repository=ORDERS, suite=suite, check=check.check)
    assert await setting.github.find_check(wanted, CALL) is None

    await keep(concluded(check, CheckState.FAILURE), CALL)
    await keep(replace(check, run="ci/order-service-2/uid-2"), CALL)
    await keep(replace(check, check="trunkline/other", run="ci/another/uid-3"), CALL)

    assert await setting.github.find_check(wanted, CALL) == "ci/order-service-2/uid-2"
    for other in (replace(wanted, suite=suite + 1), replace(wanted, check="nobody/s")):
        assert await setting.github.find_check(other, CALL) is None


async def test_what_comes_late_opens_nothing_again(setting: Setting) -> None:
    done = concluded(setting.check, CheckState.SUCCESS)
    await setting.github.keep_check(done, CALL)
    for late in (setting.check, concluded(setting.check, CheckState.FAILURE)):
        await setting.github.keep_check(late, CALL)
    assert setting.stand() == [("completed", "success", setting.check.run)]


async def test_another_build_of_the_commit_has_its_own(setting: Setting) -> None:
    again = replace(setting.check, run="ci/order-service-2/uid-2")
    await setting.github.keep_check(concluded(setting.check, CheckState.FAILURE), CALL)
    await setting.github.keep_check(again, CALL)
    assert setting.stand() == [
        ("completed", "failure", setting.check.run),
        ("in_progress", None, again.run),
    ]


async def test_an_answer_that_was_lost_makes_no_second_one(setting: Setting) -> None:
    lost = setting.faults.fail("github", ResetAfterEffect(), method="POST")
    with pytest.raises(TemporaryError):
        await setting.github.keep_check(setting.check, CALL)
    lost.clear()
    await setting.github.keep_check(setting.check, CALL)
    assert setting.stand() == [("in_progress", None, setting.check.run)]


async def test_a_summary_is_text_whatever_is_in_it(setting: Setting) -> None:
    summary = "@company/all [x](https://evil.example) ```` <img>"
    await setting.github.keep_check(replace(setting.check, summary=summary), CALL)
    (found,) = setting.hosting.checks.of(ORDERS, setting.check.revision)
    assert found.fields["output"]["summary"] == f"`````text\n{summary}\n`````"


async def test_a_token_that_is_no_app_s_is_refused_with_what_github_says(tmp_path: Path) -> None:
    async for one in opened(tmp_path, PERSONAL):
        with pytest.raises(PermanentError, match="authenticate via a GitHub App"):
            await one.github.keep_check(one.check, CALL)
