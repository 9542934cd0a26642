"""What Argo CD could not say is told by what it says next: the cluster is read every time.

Nothing here asks by itself for what was missed.
"""

from story_platform import tag_of


async def test_what_a_lost_notification_would_have_told_is_told_by_the_next_one(platform):
    """T39, but for the asking."""
    notifications = platform.world.argocd.notifications
    notifications.service, service = None, notifications.service
    commit = await platform.world.push()
    await platform.settled()
    assert platform.running("staging") == tag_of(commit)
    assert platform.stage("staging", commit) == "bumped"

    notifications.service = service
    platform.world.argocd.degrade("order-service-staging", "readiness probe failed")
    platform.world.argocd.recover("order-service-staging")
    await platform.settled()
    assert platform.stage("staging", commit) == "healthy"
    assert platform.stage("dev", commit) == "bumped"
