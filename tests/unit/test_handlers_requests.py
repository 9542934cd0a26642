"""What is told of an Application that asks Crossplane for something: an event in, actions out."""

from typing import Any

import pytest

from handlers import announce_request, page_on_degraded, track_deployment
from hub.actions.argocd import Application, ReadApplication
from hub.actions.pagerduty import ResolveIncident, TriggerIncident
from hub.actions.slack import KeepMessage
from hub.dispatch.handler import Handler
from hub.dispatch.outcome import Skipped
from hub.dispatch.rehearsal import Rehearsal, rehearse
from hub.dispatch.routing import NotWanted, Wanted, decide
from hub.events.argocd import ApplicationChanged
from hub.events.envelope import Envelope
from hub.events.types import HEALTH_DEGRADED, SYNC_FAILED, SYNC_SUCCEEDED

LABELS = '{"trunkline.dev/requests-of": "orders"}'


def saying(kind: str, *, labels: str = LABELS) -> Envelope:
    data = f'{{"metadata": {{"name": "orders-dev-requests", "labels": {labels}}}}}'
    return Envelope(id="e", source="/argocd", type=kind, partitionkey="k", data=data.encode())


def app(phase: str, **changes: Any) -> Application:
    fields: dict[str, Any] = {
        "namespace": "argocd",
        "name": "orders-dev-requests",
        "exists": True,
        "health": "Degraded",
        "phase": phase,
        "finished_at": "2026-11-22T10:10:10Z",
        "message": "storageGB is too small",
        "environment": "dev",
        "requests_of": "orders",
    }
    return Application(**(fields | changes))


async def decided(read: Application, kind: str, handler: Handler = announce_request) -> Rehearsal:
    event = saying(kind)
    about = ApplicationChanged.read(event)
    return await rehearse(handler, about, event=event, replies={ReadApplication: read})


@pytest.mark.parametrize("phase", ["Failed", "Error"])
async def test_what_is_not_taken_is_told_and_pages_nobody_in_dev(phase: str) -> None:
    rehearsal = await decided(app(phase), SYNC_FAILED)
    (message,) = rehearsal.of(KeepMessage)
    assert message.title == "What orders asks for in dev is not taken"
    assert "storageGB is too small" in message.lines[0].text
    assert not message.only_update
    assert rehearsal.of(TriggerIncident) == ()


async def test_production_pages_and_resolves_under_the_same_key() -> None:
    where = {"name": "orders-production-requests", "environment": "production"}
    failed = await decided(app("Failed", **where), SYNC_FAILED)
    (incident,) = failed.of(TriggerIncident)
    assert "storageGB is too small" in incident.summary
    taken = await decided(app("Succeeded", **where), SYNC_SUCCEEDED)
    (resolved,) = taken.of(ResolveIncident)
    assert resolved.dedup_key == incident.dedup_key


async def test_what_is_taken_shows_over_what_was_not_and_is_no_news_by_itself() -> None:
    (before,) = (await decided(app("Failed"), SYNC_FAILED)).of(KeepMessage)
    (after,) = (await decided(app("Succeeded"), SYNC_SUCCEEDED)).of(KeepMessage)
    assert after.key == before.key
    assert after.version > before.version
    assert after.only_update


@pytest.mark.parametrize(
    ("kind", "read"),
    [
        (HEALTH_DEGRADED, app("Succeeded")),
        (SYNC_FAILED, app("Running")),
        (SYNC_FAILED, app("Failed", requests_of="", service="orders")),
        (SYNC_FAILED, Application(namespace="argocd", name="orders-dev-requests", exists=False)),
    ],
    ids=["health", "begun anew", "deployment", "gone"],
)
async def test_of_all_else_nothing_is_told(kind: str, read: Application) -> None:
    rehearsal = await decided(read, kind)
    assert isinstance(rehearsal.outcome, Skipped)
    assert rehearsal.of(KeepMessage) == rehearsal.of(TriggerIncident) == ()


@pytest.mark.parametrize("handler", [track_deployment, page_on_degraded])
async def test_it_is_no_deployment(handler: Handler) -> None:
    read = app("Failed", environment="production")
    rehearsal = await decided(read, SYNC_FAILED, handler)
    assert rehearsal.outcome == Skipped("the Application orders-dev-requests deploys no service")
    assert [type(action) for action in rehearsal.actions] == [ReadApplication]


@pytest.mark.parametrize(
    ("labels", "wanted"),
    [(LABELS, Wanted), ('{"trunkline.dev/service": "a"}', NotWanted), ("null", NotWanted)],
)
def test_only_what_says_that_it_asks_for_something_makes_a_run(labels: str, wanted: type) -> None:
    ((_, decision),) = decide([announce_request], saying(SYNC_FAILED, labels=labels))
    assert isinstance(decision, wanted)
