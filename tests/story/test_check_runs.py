"""Where the hub acts as a GitHub App, a run's state is a check run that can be asked for again."""

from typing import Any

import pytest
from story_platform import SOURCE, Platform, with_settings

from hub.sandbox.github.checks import CheckRun
from hub.sandbox.history import Commit
from hub.sandbox.tekton.states import Outcome


@pytest.fixture
def settings() -> dict[str, Any]:
    return with_settings(github={"checks": True})


def checks(platform: Platform, commit: Commit) -> list[tuple[str, str | None]]:
    """How the check runs of a commit stand, the oldest first."""
    found = platform.world.github.checks.of(SOURCE, commit.sha)
    return [(one.status, one.conclusion) for one in found]


def the_check(platform: Platform, commit: Commit) -> CheckRun:
    return platform.world.github.checks.of(SOURCE, commit.sha)[-1]


async def test_a_check_run_follows_its_pipeline_and_no_status_does(platform: Platform) -> None:
    platform.world.tekton.pace.hold()
    commit = await platform.world.push()
    await platform.hub_has_heard()
    await platform.until_event("dev.tekton.event.pipelinerun.started")
    await platform.hub_is_idle()
    assert checks(platform, commit) == [("in_progress", None)]

    platform.world.tekton.pace.release()
    await platform.settled()
    assert checks(platform, commit) == [("completed", "success")]
    assert the_check(platform, commit).name == "trunkline/ci"
    assert platform.statuses(commit) == []
    assert await platform.dead_letters() == []


async def test_a_check_run_that_failed_names_the_task(platform: Platform) -> None:
    platform.world.tekton.outcome("order-service", Outcome.FAILED, message="3 `tests` failed")
    commit = await platform.world.push()
    await platform.settled()
    assert checks(platform, commit) == [("completed", "failure")]
    output = the_check(platform, commit).fields["output"]
    assert output["title"] == "The pipeline has failed in test"
    assert output["summary"] == "```text\n3 `tests` failed\n```"


async def test_a_check_run_that_is_asked_for_again_is_run_again_beside_the_first(
    platform: Platform,
) -> None:
    world = platform.world
    world.tekton.outcome("order-service", Outcome.FAILED, times=1)
    commit = await world.push()
    await platform.settled()

    world.github.ask_again(the_check(platform, commit))
    await platform.settled()

    assert checks(platform, commit) == [("completed", "failure"), ("completed", "success")]
    assert platform.revisions_built() == [commit.sha, commit.sha]
    assert platform.stage("staging", commit) == "healthy"


async def test_all_checks_of_a_commit_that_are_asked_for_again_are_run_again(
    platform: Platform,
) -> None:
    world = platform.world
    world.tekton.outcome("order-service", Outcome.FAILED, times=2)
    commit = await world.push()
    await platform.settled()
    for _ in range(2):
        world.github.ask_all_again(SOURCE, commit.sha)
        await platform.settled()

    failed, succeeded = ("completed", "failure"), ("completed", "success")
    assert checks(platform, commit) == [failed, failed, succeeded]
    assert platform.revisions_built() == [commit.sha] * 3


async def test_a_commit_without_a_check_of_the_hub_s_is_not_run_again(platform: Platform) -> None:
    commit = await platform.world.push(branch="topic")
    await platform.settled()
    platform.world.github.ask_all_again(SOURCE, commit.sha)
    await platform.settled()
    assert platform.revisions_built() == []
    verdict = await platform.verdict("rerun_pipeline", platform.last_delivery("check_suite").guid)
    assert verdict == "skipped: the check run names no PipelineRun"


async def test_what_is_asked_for_twice_or_still_runs_is_run_once(platform: Platform) -> None:
    world = platform.world
    world.tekton.outcome("order-service", Outcome.FAILED, times=1)
    commit = await world.push()
    await platform.settled()
    failed = the_check(platform, commit)
    world.tekton.pace.hold()
    for _ in range(2):
        world.github.ask_again(failed)
    await platform.hub_has_heard()
    await platform.until_event("dev.tekton.event.pipelinerun.started")
    await platform.hub_is_idle()
    world.github.ask_again(the_check(platform, commit))
    await platform.hub_has_heard()
    world.tekton.pace.release()
    await platform.settled()
    assert platform.revisions_built() == [commit.sha, commit.sha]
    verdict = await platform.verdict("rerun_pipeline", platform.last_delivery("check_run").guid)
    assert verdict.startswith("skipped: the PipelineRun")


async def test_a_run_that_was_pruned_is_not_run_again(platform: Platform) -> None:
    commit = await platform.world.push()
    await platform.settled()
    platform.prune_pipeline_runs()
    platform.world.github.ask_again(the_check(platform, commit))
    await platform.settled()
    assert platform.revisions_built() == []
    verdict = await platform.verdict("rerun_pipeline", platform.last_delivery("check_run").guid)
    assert "push again" in verdict


class TestWithALimitOfOneRunPerService:
    @pytest.fixture
    def settings(self) -> dict[str, Any]:
        return with_settings(github={"checks": True}, kubernetes={"runs_per_service": 1})

    async def test_a_run_that_waits_has_a_check_run_that_says_so(self, platform: Platform) -> None:
        world = platform.world
        world.tekton.pace.hold()
        first = await world.push(branch="develop", message="One")
        await platform.hub_has_heard()
        await platform.until_event("dev.tekton.event.pipelinerun.started")
        second = await world.push(branch="develop", message="Two")
        await platform.hub_has_heard()

        assert checks(platform, first) == [("in_progress", None)]
        assert checks(platform, second) == [("queued", None)]
        waiting = the_check(platform, second).fields["output"]["title"]
        assert waiting == "The pipeline waits for others to end"

        world.tekton.pace.release()
        await platform.settled()
        assert checks(platform, second) == [("completed", "success")]
