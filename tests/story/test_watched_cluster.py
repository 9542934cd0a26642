"""What the cluster's objects say by being watched: nobody has to send it, and nothing is missed."""

from collections.abc import Awaitable, Callable
from typing import Any

import pytest
from story_platform import CHANNEL, PRODUCTION, Platform, eventually, with_settings

from hub.sandbox.installation import HUB_NAMESPACE, TEKTON_NAMESPACE
from hub.sandbox.kubernetes import DATABASES, POSTGRESQL_INSTANCES
from hub.sandbox.tekton.states import Outcome

OWNERS = "#team-orders"
DATABASE = "PostgreSQLInstance production/orders-db"


@pytest.fixture
def settings() -> dict[str, Any]:
    return with_settings(
        platform={"channels": {"orders": OWNERS}},
        watcher={
            "groups": ["platform.company.com"],
            "managed": ["rds.aws.m.upbound.io"],
            "applications": ["*"],
            "pipeline_runs": [TEKTON_NAMESPACE],
            "lease_namespace": HUB_NAMESPACE,
        },
    )


@pytest.fixture(autouse=True)
def channel_of_the_owners(platform: Platform) -> None:
    platform.world.slack.workspace.create_channel(OWNERS.removeprefix("#"))


def titles(platform: Platform, channel: str) -> list[str]:
    return [one.text.partition("\n")[0] for one in platform.world.slack.messages(channel)]


async def until_told(platform: Platform, channel: str, *lines: str) -> None:
    """Wait until the messages of a channel begin so, in this order."""

    async def told() -> bool:
        return titles(platform, channel) == list(lines)

    await eventually(told)


def said(holds: Callable[[], bool]) -> Callable[[], Awaitable[bool]]:
    async def look() -> bool:
        return holds()

    return look


async def test_a_database_that_is_ready_is_told_to_its_owners(platform: Platform) -> None:
    crossplane = platform.world.crossplane
    crossplane.ask_for(POSTGRESQL_INSTANCES, "orders-db", owner="orders")
    crossplane.say(POSTGRESQL_INSTANCES, "orders-db", Synced=True, Ready=False)
    await platform.until_event("io.crossplane.composite.not-ready")
    await platform.settled()
    assert titles(platform, OWNERS) == []

    crossplane.say(POSTGRESQL_INSTANCES, "orders-db", Ready=True)
    await until_told(platform, OWNERS, f"{DATABASE} is ready")

    await platform.settled()
    assert await platform.dead_letters() == []
    assert titles(platform, CHANNEL) == []


async def test_production_that_fails_pages_until_it_is_ready_in_one_message(
    platform: Platform,
) -> None:
    crossplane, pagerduty = platform.world.crossplane, platform.world.pagerduty
    crossplane.ask_for(POSTGRESQL_INSTANCES, "orders-db", owner="orders")
    crossplane.warn(
        POSTGRESQL_INSTANCES, "orders-db", reason="ComposeResources", note="no key in `platform`"
    )
    crossplane.say(
        POSTGRESQL_INSTANCES, "orders-db", message="no subnet group", Synced=False, Ready=False
    )
    await until_told(platform, OWNERS, f"{DATABASE} has failed")
    await platform.settled()
    (incident,) = pagerduty.incidents()
    assert "no subnet group" in incident.summary
    (message,) = platform.world.slack.messages(OWNERS)
    assert "ComposeResources: no key in `platform`" in message.text

    crossplane.say(POSTGRESQL_INSTANCES, "orders-db", Synced=True, Ready=True)
    await until_told(platform, OWNERS, f"{DATABASE} is ready")
    await platform.settled()
    assert [one.state for one in pagerduty.incidents()] == ["resolved"]

    crossplane.forget(POSTGRESQL_INSTANCES, "orders-db")
    await until_told(platform, OWNERS, f"{DATABASE} was deleted")


async def test_a_database_that_is_stuck_is_told_of_and_pages(platform: Platform) -> None:
    crossplane = platform.world.crossplane
    crossplane.ask_for(POSTGRESQL_INSTANCES, "orders-db", owner="orders")
    crossplane.say(POSTGRESQL_INSTANCES, "orders-db", Ready=False)
    await platform.until_event("io.crossplane.composite.not-ready")
    await platform.settled()

    platform.clock.skip(16 * 60)
    await until_told(platform, OWNERS, f"{DATABASE} is stuck")
    await platform.settled()
    assert len(platform.world.pagerduty.incidents()) == 1


async def test_drift_is_told_and_so_is_its_end_but_not_that_all_was_well(
    platform: Platform,
) -> None:
    crossplane = platform.world.crossplane
    for name in ("orders-db", "users-db"):
        crossplane.ask_for(DATABASES, name)
        crossplane.say(DATABASES, name, UpToDate=True, Ready=True)
    crossplane.say(DATABASES, "orders-db", message="storage may not shrink", UpToDate=False)
    await until_told(platform, CHANNEL, "Instance production/orders-db has drifted")

    crossplane.say(DATABASES, "orders-db", UpToDate=True)
    await until_told(platform, CHANNEL, "Instance production/orders-db is as it is wanted again")
    (message,) = platform.world.slack.messages(CHANNEL)
    assert "UpdateRestricted" not in message.text


async def test_what_no_notification_told_is_seen_in_the_cluster(platform: Platform) -> None:
    world = platform.world
    world.tekton.events.sink = None
    world.argocd.notifications.service = None
    commit = await world.push()
    await platform.until_stage("staging", commit, "healthy")
    assert platform.statuses(commit)[-1] == "success"

    world.argocd.degrade(PRODUCTION, "readiness probe failed")
    await eventually(said(lambda: len(world.pagerduty.incidents()) == 1))


async def test_what_happened_while_the_hub_was_down_is_told_once_it_is_back(
    platform: Platform,
) -> None:
    world = platform.world
    world.tekton.events.sink = None
    world.tekton.pace.hold()
    world.tekton.outcome("order-service", Outcome.FAILED, message="3 tests failed")
    commit = await world.push()
    await platform.hub_has_heard()
    await platform.stop()
    world.tekton.pace.release()
    await world.settled()
    assert platform.statuses(commit)[-1] == "pending"

    await platform.start()

    await eventually(said(lambda: platform.statuses(commit)[-1] == "failure"))


async def test_what_a_notification_told_already_is_not_told_again(platform: Platform) -> None:
    commit = await platform.world.push()
    await platform.until_stage("staging", commit, "healthy")
    await platform.settled()
    told = [(one.source, one.id) for one in await platform.events()]

    await platform.restart()
    await eventually(said(lambda: platform.world.kubernetes.requests[-1].verb == "watch"))
    await platform.settled()

    again = [(one.source, one.id) for one in await platform.events()]
    assert len(again) == len(set(again))
    assert again[: len(told)] == told
