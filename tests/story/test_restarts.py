"""The hub is restarted in the middle of a journey. Nobody could tell from how it ends."""

import pytest
from story_platform import PRODUCTION, tag_of

from hub.sandbox.faults import Down
from hub.sandbox.promotion import promote

STAGES = [
    "com.github.push",
    "dev.tekton.event.pipelinerun.started",
    "dev.tekton.event.pipelinerun.running",
    "dev.tekton.event.pipelinerun.successful",
    "dev.trunkline.deployment.changed",
    "dev.trunkline.image.bumped",
    "io.argoproj.argocd.application.sync-running",
    "io.argoproj.argocd.application.sync-succeeded",
    "io.argoproj.argocd.application.health-healthy",
    "io.argoproj.argocd.application.deployed",
]


@pytest.fixture
def argocd_retry_seconds():
    """Argo CD gives a notification up after four attempts: they have to outlive a restart."""
    return 0.5


async def ended_well(platform, commit):
    """Check the state of the world, which is the same as without any restart."""
    assert platform.revisions_built() == [commit.sha]
    assert platform.statuses(commit)[-1] == "success"
    assert len(await platform.bumps()) == 1
    assert len(platform.messages("deployment/")) == 2
    for environment in ("dev", "staging"):
        assert await platform.wanted(environment) == tag_of(commit)
        assert platform.running(environment) == tag_of(commit)
        assert platform.stage(environment, commit) == "healthy"
    assert await platform.dead_letters() == []
    assert platform.world.argocd.notifications.lost == platform.world.tekton.events.lost == []


@pytest.mark.parametrize("stage", STAGES)
async def test_a_restart_at_any_stage_changes_nothing_about_the_end(platform, stage):
    """T78, T118."""
    commit = await platform.world.push()
    await platform.until_event(stage)
    await platform.restart()
    await platform.settled()

    await ended_well(platform, commit)


async def test_a_hub_that_is_restarted_all_the_way_gets_there(platform):
    """T78, T118."""
    commit = await platform.world.push()
    for stage in STAGES:
        await platform.until_event(stage)
        await platform.restart()
    await platform.settled()

    await ended_well(platform, commit)


async def test_a_message_that_was_begun_before_a_restart_is_continued_after_it(platform):
    platform.world.tekton.pace.hold()
    commit = await platform.world.push()
    for environment in ("dev", "staging"):
        await platform.until_stage(environment, commit, "building")
    posted = [message.ts for message in platform.messages()]
    await platform.restart()
    platform.world.tekton.pace.release()
    await platform.settled()

    assert [message.ts for message in platform.messages()] == posted
    await ended_well(platform, commit)


async def test_what_waits_to_be_tried_again_is_tried_by_the_next_hub(platform):
    """T78."""
    fault = platform.world.faults.fail("slack", Down())
    commit = await platform.world.push()
    await platform.settled(retrying=True)
    await platform.restart()
    fault.clear()
    # Until then the first hub's posts could still be on their way.
    platform.clock.skip(20)
    await platform.settled()

    await ended_well(platform, commit)


async def test_a_page_is_resolved_by_the_next_hub(platform):
    await platform.world.push()
    await platform.settled()
    await promote(platform.world, "order-service")
    await platform.settled()
    await platform.world.argocd.sync(PRODUCTION)
    platform.world.argocd.degrade(PRODUCTION, "readiness probe failed")
    await platform.until_event("io.argoproj.argocd.application.health-degraded")
    await platform.restart()
    platform.world.argocd.recover(PRODUCTION)
    await platform.settled()

    (incident,) = platform.world.pagerduty.incidents()
    assert incident.state == "resolved"
    assert len(platform.world.pagerduty.changes()) == 1


async def test_dead_letters_outlive_a_restart(platform):
    platform.world.gitops.refuse_pushes()
    commit = await platform.world.push()
    await platform.settled()
    (before,) = await platform.dead_letters()
    await platform.restart()
    platform.world.gitops.accept_pushes()
    assert await platform.dead_letters() == [before]

    await platform.replay_dead_letters()
    await platform.settled()
    await ended_well(platform, commit)
