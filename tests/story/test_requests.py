"""What a service asks of Crossplane is not taken: people hear of it, and nothing was deployed."""

from typing import Any

import pytest
from story_platform import CHANNEL, Platform

from hub.sandbox.argocd import applications
from hub.sandbox.kubernetes import APPLICATIONS

NAME = "order-service-production-requests"
TITLE = "What order-service asks for in production is"


@pytest.fixture(autouse=True)
def asked(platform: Platform) -> None:
    """The Application, as the ApplicationSet makes it."""
    labels = {
        "trunkline.dev/requests-of": "order-service",
        "trunkline.dev/environment": "production",
    }
    made = {
        "apiVersion": "argoproj.io/v1alpha1",
        "kind": "Application",
        "metadata": {"name": NAME, "labels": labels},
        "spec": {"project": "requests"},
    }
    platform.world.cluster.create(APPLICATIONS, applications.NAMESPACE, made)


def show(platform: Platform, *, minute: int, phase: str, message: str) -> None:
    operation = {
        "phase": phase,
        "startedAt": f"2026-11-22T10:{minute:02}:00Z",
        "finishedAt": f"2026-11-22T10:{minute:02}:30Z",
        "message": message,
    }
    status: dict[str, Any] = {"operationState": operation, "health": {"status": "Healthy"}}
    platform.world.cluster.patch(APPLICATIONS, applications.NAMESPACE, NAME, {"status": status})


def titles(platform: Platform) -> list[str]:
    return [one.text.partition("\n")[0] for one in platform.world.slack.messages(CHANNEL)]


async def test_what_is_not_taken_is_told_once_until_it_is(platform: Platform) -> None:
    show(platform, minute=1, phase="Failed", message="storageGB is too small")
    await platform.settled()
    assert titles(platform) == [f"{TITLE} not taken"]
    (incident,) = platform.world.pagerduty.incidents()
    assert (incident.state, incident.source) == ("triggered", NAME)
    assert "storageGB is too small" in incident.summary

    show(platform, minute=2, phase="Succeeded", message="successfully synced")
    await platform.settled()
    assert titles(platform) == [f"{TITLE} taken"]
    assert [one.state for one in platform.world.pagerduty.incidents()] == ["resolved"]


async def test_what_is_taken_is_no_deployment(platform: Platform) -> None:
    show(platform, minute=1, phase="Succeeded", message="successfully synced")
    await platform.settled()
    assert await platform.events("dev.trunkline.deployment.changed") == []
    assert titles(platform) == []
    assert platform.world.pagerduty.changes() == ()
    assert await platform.dead_letters() == []
