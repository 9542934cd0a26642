"""Production: people promote, everybody hears of it, and trouble pages once and ends."""

from story_platform import PRODUCTION, tag_of

from hub.sandbox.promotion import promote


async def promoted(platform):
    """A commit that has come to production."""
    commit = await platform.world.push()
    await platform.settled()
    await promote(platform.world, "order-service")
    await platform.settled()
    await platform.world.argocd.sync(PRODUCTION)
    await platform.settled()
    return commit


def states(platform):
    return [str(incident.state) for incident in platform.world.pagerduty.incidents()]


async def test_a_promotion_is_announced_and_noted_as_a_change(platform):
    commit = await promoted(platform)

    assert platform.running("production") == tag_of(commit)
    assert platform.stage("production", commit) == "healthy"
    (change,) = platform.world.pagerduty.changes()
    assert (change.summary, change.source) == (
        "order-service deployed to production",
        PRODUCTION,
    )
    assert states(platform) == []


async def test_production_waits_for_a_person(platform):
    commit = await platform.world.push()
    await platform.settled()
    await promote(platform.world, "order-service")
    await platform.settled()

    assert await platform.wanted("production") == tag_of(commit)
    assert platform.running("production") != tag_of(commit)
    assert platform.messages_about("production", commit) == []
    assert platform.world.pagerduty.changes() == ()


async def test_a_degraded_production_pages_once_and_says_so_in_the_channel(platform):
    commit = await promoted(platform)
    platform.world.argocd.degrade(PRODUCTION, "readiness probe failed")
    await platform.settled()

    (incident,) = platform.world.pagerduty.incidents()
    assert (incident.state, incident.severity, incident.source) == (
        "triggered",
        "critical",
        PRODUCTION,
    )
    assert incident.summary == "order-service-production: it is degraded"
    assert platform.stage("production", commit) == "degraded"


async def test_a_page_that_is_told_of_again_is_still_one_page(platform):
    """T40."""
    await promoted(platform)
    platform.world.argocd.degrade(PRODUCTION, "readiness probe failed")
    await platform.settled()
    platform.world.argocd.notifications.repeat(PRODUCTION)
    await platform.settled()
    platform.world.argocd.degrade(PRODUCTION, "and now the liveness probe too")
    await platform.settled()

    assert states(platform) == ["triggered"]


async def test_a_production_that_recovers_resolves_its_page(platform):
    commit = await promoted(platform)
    platform.world.argocd.degrade(PRODUCTION, "readiness probe failed")
    await platform.settled()
    platform.world.argocd.recover(PRODUCTION)
    await platform.settled()

    assert states(platform) == ["resolved"]
    assert platform.stage("production", commit) == "healthy"


async def test_a_production_that_flaps_ends_as_the_cluster_does(platform):
    """T41, T104."""
    for _ in range(5):
        platform.world.argocd.degrade(PRODUCTION, "probe failed")
        platform.world.argocd.recover(PRODUCTION)
    await platform.settled()
    assert "triggered" not in states(platform)

    platform.world.argocd.degrade(PRODUCTION, "probe failed for good")
    await platform.settled()
    assert states(platform).count("triggered") == 1


async def test_a_sync_of_production_that_fails_pages_with_the_reason(platform):
    await platform.world.push()
    await platform.settled()
    await promote(platform.world, "order-service")
    platform.world.argocd.fail_next_sync(PRODUCTION, "the namespace is locked")
    await platform.settled()
    await platform.world.argocd.sync(PRODUCTION)
    await platform.settled()

    (incident,) = platform.world.pagerduty.incidents()
    assert incident.state == "triggered"
    assert incident.summary == f"{PRODUCTION}: the sync failed: the namespace is locked"
    assert platform.world.pagerduty.changes() == ()


async def test_a_sync_of_production_that_works_at_last_resolves_the_page(platform):
    commit = await platform.world.push()
    await platform.settled()
    await promote(platform.world, "order-service")
    platform.world.argocd.fail_next_sync(PRODUCTION, "the namespace is locked")
    await platform.settled()
    for _ in range(2):
        await platform.world.argocd.sync(PRODUCTION)
        await platform.settled()

    assert states(platform) == ["resolved"]
    assert platform.stage("production", commit) == "healthy"
    assert len(platform.world.pagerduty.changes()) == 1


async def test_a_degraded_staging_pages_nobody(platform):
    commit = await platform.world.push()
    await platform.settled()
    platform.world.argocd.degrade("order-service-staging", "readiness probe failed")
    await platform.settled()

    assert states(platform) == []
    assert platform.stage("staging", commit) == "degraded"


async def test_production_that_nobody_here_built_still_pages(platform):
    """What runs there was deployed before the hub was installed."""
    platform.world.argocd.degrade(PRODUCTION, "readiness probe failed")
    await platform.settled()

    assert states(platform) == ["triggered"]
    assert platform.messages() == []
