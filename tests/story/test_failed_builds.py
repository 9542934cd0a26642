"""Builds that do not succeed: everybody is told why, and nothing is deployed."""

import pytest
from story_platform import SOURCE, tag_of, with_settings

from hub.sandbox.tekton import Outcome

WAYS_TO_FAIL = [
    pytest.param(Outcome.FAILED, "failure", "The pipeline has failed in test", id="failed"),
    pytest.param(Outcome.CANCELLED, "error", "The pipeline was cancelled", id="cancelled"),
    pytest.param(Outcome.TIMED_OUT, "failure", "The pipeline took too long", id="timed-out"),
]


@pytest.mark.parametrize(("outcome", "state", "words"), WAYS_TO_FAIL)
async def test_a_build_that_does_not_succeed_is_told_and_not_deployed(
    platform, outcome, state, words
):
    before = platform.running("staging")
    platform.world.tekton.outcome("order-service", outcome, message="3 of 120 tests failed")
    commit = await platform.world.push()
    await platform.settled()

    (status,) = platform.world.github.statuses.latest(SOURCE, commit.sha)
    assert (status.state, status.description) == (state, f"{words}: 3 of 120 tests failed")
    for environment in ("dev", "staging"):
        assert platform.stage(environment, commit) == "build failed"
        assert platform.replies(environment, commit) == [
            f"build failed: {outcome}: 3 of 120 tests failed"
        ]
    assert await platform.bumps() == []
    assert platform.running("staging") == before
    assert platform.world.pagerduty.incidents() == ()


async def test_the_push_that_mends_it_travels_on_with_a_message_of_its_own(platform):
    platform.world.tekton.outcome("order-service", Outcome.FAILED, times=1)
    broken = await platform.world.push(message="Break it")
    await platform.settled()
    mended = await platform.world.push(message="Mend it")
    await platform.settled()

    assert platform.running("staging") == tag_of(mended)
    assert platform.stage("staging", mended) == "healthy"
    assert platform.stage("staging", broken) == "build failed"
    assert platform.statuses(broken)[-1] == "failure"


@pytest.mark.parametrize("settings", [with_settings(platform={"pipeline": "no-such-pipeline"})])
async def test_a_run_that_cannot_even_begin_is_told_with_tekton_s_reason(platform):
    commit = await platform.world.push()
    await platform.settled()

    (status,) = platform.world.github.statuses.latest(SOURCE, commit.sha)
    assert status.state == "failure"
    assert "Error retrieving pipeline" in status.description
    (reply,) = platform.replies("dev", commit)
    assert '"no-such-pipeline" not found' in reply


async def test_a_sync_that_fails_in_staging_is_told_with_its_reason_and_pages_nobody(platform):
    platform.world.argocd.fail_next_sync("order-service-staging", "admission webhook said no")
    commit = await platform.world.push()
    await platform.settled()

    assert platform.stage("staging", commit) == "sync failed"
    assert platform.replies("staging", commit) == ["sync failed: admission webhook said no"]
    assert platform.stage("dev", commit) == "healthy"
    assert platform.world.pagerduty.incidents() == ()


async def test_a_smoke_test_that_fails_is_told_and_leaves_production_as_it_was(platform):
    before = await platform.wanted("production")
    said = "one or more synchronization tasks completed unsuccessfully"  # as Argo CD words it
    platform.world.argocd.fail_next_sync("order-service-staging", said)
    commit = await platform.world.push()
    await platform.settled()

    assert platform.stage("staging", commit) == "sync failed"
    assert platform.replies("staging", commit) == [f"sync failed: {said}"]
    assert await platform.wanted("production") == before
