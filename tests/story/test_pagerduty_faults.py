"""PagerDuty fails. The page is late, but it is there, once; and nothing else waits for it."""

import pytest
from story_platform import PRODUCTION

from hub.sandbox.faults import Down, ResetAfterEffect, Status

A_FEW_MINUTES = 300.0


async def degrade(platform):
    platform.world.argocd.degrade(PRODUCTION, "readiness probe failed")
    await platform.settled(retrying=True)


def states(platform):
    return [str(incident.state) for incident in platform.world.pagerduty.incidents()]


@pytest.mark.parametrize(
    "kind",
    [Status(status=429), Status(status=429, retry_after=120), Status(status=500), Down()],
)
async def test_a_page_that_pagerduty_did_not_take_is_sent_again_minutes_later(platform, kind):
    """T103."""
    fault = platform.world.faults.fail("pagerduty", kind, times=1)
    await degrade(platform)
    assert fault.hits == 1
    assert states(platform) == []

    platform.clock.skip(30)
    await platform.settled(retrying=True)
    assert states(platform) == []
    platform.clock.skip(A_FEW_MINUTES)
    await platform.settled()
    assert states(platform) == ["triggered"]


async def test_a_page_whose_answer_was_lost_is_one_page(platform):
    """T103."""
    platform.world.faults.fail("pagerduty", ResetAfterEffect(), times=1)
    await degrade(platform)
    platform.clock.skip(A_FEW_MINUTES)
    await platform.settled()

    (incident,) = platform.world.pagerduty.incidents()
    assert (incident.state, incident.events) == ("triggered", 2)


async def test_trouble_that_is_over_before_pagerduty_answers_pages_nobody(platform):
    """T104."""
    fault = platform.world.faults.fail("pagerduty", Down())
    await degrade(platform)
    platform.world.argocd.recover(PRODUCTION)
    await platform.settled(retrying=True)
    fault.clear()
    platform.clock.skip(A_FEW_MINUTES)
    await platform.settled()

    assert states(platform) == []


async def test_a_resolution_never_overtakes_its_page(platform):
    """T104."""
    await degrade(platform)
    platform.world.faults.fail("pagerduty", Status(status=500), times=1)
    platform.world.argocd.recover(PRODUCTION)
    await platform.settled(retrying=True)
    platform.world.argocd.degrade(PRODUCTION, "again")
    await platform.settled(retrying=True)
    platform.clock.skip(A_FEW_MINUTES)
    await platform.settled()

    assert states(platform)[-1] == "triggered"
    assert states(platform).count("triggered") == 1


async def test_what_pagerduty_does_not_want_is_a_dead_letter_at_once(platform):
    """T102."""
    fault = platform.world.faults.fail("pagerduty", Status(status=400))
    await degrade(platform)

    assert fault.hits == 1
    (letter,) = await platform.dead_letters()
    assert (letter.handler, letter.attempts) == ("page_on_degraded", 1)
    assert letter.detail.startswith("PagerDuty answered 400")

    fault.clear()
    await platform.replay_dead_letters()
    await platform.settled()
    assert states(platform) == ["triggered"]


async def test_a_very_long_reason_still_pages(platform):
    """T105."""
    platform.world.argocd.fail_next_sync(PRODUCTION, "very long " * 60_000)
    await platform.world.argocd.sync(PRODUCTION)
    await platform.settled()

    (incident,) = platform.world.pagerduty.incidents()
    assert incident.summary.startswith(f"{PRODUCTION}: the sync failed: very long")
    assert await platform.dead_letters() == []


async def test_the_channel_hears_of_a_degraded_environment_while_pagerduty_is_down(platform):
    commit = await platform.world.push()
    await platform.settled()
    platform.world.faults.fail("pagerduty", Down())
    platform.world.argocd.degrade("order-service-staging", "probe failed")
    await degrade(platform)

    assert platform.stage("staging", commit) == "degraded"
