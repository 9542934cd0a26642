"""What is told of Crossplane's objects: an event in, the actions out."""

from typing import Any

import pytest

from handlers import announce_composite, announce_drift
from hub.actions.crossplane import Composite, CompositeState, ReadComposite
from hub.actions.pagerduty import ResolveIncident, Severity, TriggerIncident
from hub.actions.slack import KeepMessage
from hub.dispatch.outcome import Skipped
from hub.dispatch.platform import Platform
from hub.dispatch.rehearsal import Rehearsal, rehearse
from hub.events.crossplane import CompositeChanged, ManagedResourceChanged
from hub.events.envelope import Envelope
from hub.events.types import (
    COMPOSITE_DELETED,
    COMPOSITE_READY,
    COMPOSITE_STUCK,
    COMPOSITE_SYNC_FAILED,
    MANAGED_CORRECTED,
    MANAGED_DRIFTED,
)

PLATFORM = Platform(channels={"orders": "#team-orders"})
SINCE = "2026-11-22T10:00:00Z"
PLACE = {"group": "platform.company.com", "version": "v1alpha1", "plural": "postgresqlinstances"}


def changed(*, namespace: str = "dev", **more: Any) -> CompositeChanged:
    return CompositeChanged.model_validate(
        {
            "resource": {**PLACE, "kind": "PostgreSQLInstance"},
            "metadata": {"namespace": namespace, "name": "orders-db", "uid": "u"},
            "status": {"conditions": [{"type": "Ready", "lastTransitionTime": SINCE}]},
            **more,
        }
    )


def found(state: CompositeState, **changes: str) -> Composite:
    fields = {"since": SINCE, "owner": "orders", "environment": "dev", "message": "no room"}
    return Composite(state=state, **(fields | changes))


async def decided(about: CompositeChanged, kind: str, read: Composite) -> Rehearsal:
    return await rehearse(
        announce_composite,
        about,
        platform=PLATFORM,
        event=saying(kind),
        replies={ReadComposite: read},
    )


def saying(kind: str) -> Envelope:
    return Envelope(id="e", source="/kubernetes", type=kind, partitionkey="k", data=b"{}")


@pytest.mark.parametrize(
    ("kind", "state", "says"),
    [
        (COMPOSITE_READY, CompositeState.READY, "is ready"),
        (COMPOSITE_SYNC_FAILED, CompositeState.FAILED, "has failed"),
        (COMPOSITE_STUCK, CompositeState.PENDING, "is stuck"),
        (COMPOSITE_STUCK, CompositeState.DELETING, "is stuck"),
        (COMPOSITE_STUCK, CompositeState.READY, "is ready"),
        (COMPOSITE_DELETED, CompositeState.GONE, "was deleted"),
    ],
)
async def test_owners_are_told_what_the_cluster_says(kind, state, says):
    rehearsal = await decided(changed(), kind, found(state))
    (message,) = rehearsal.of(KeepMessage)
    assert message.title == f"PostgreSQLInstance dev/orders-db {says}"
    assert message.channel == "#team-orders"
    assert rehearsal.of(TriggerIncident) == rehearsal.of(ResolveIncident) == ()


@pytest.mark.parametrize(
    ("kind", "state"),
    [
        (COMPOSITE_READY, CompositeState.PENDING),
        (COMPOSITE_READY, CompositeState.GONE),
        (COMPOSITE_SYNC_FAILED, CompositeState.PAUSED),
        (COMPOSITE_SYNC_FAILED, CompositeState.DELETING),
    ],
)
async def test_what_is_under_way_or_told_by_a_later_event_is_not_told(kind, state):
    rehearsal = await decided(changed(), kind, found(state))
    assert isinstance(rehearsal.outcome, Skipped)
    assert rehearsal.of(KeepMessage) == ()


async def test_the_claim_is_told_of_and_not_what_was_made_for_it():
    read = found(CompositeState.READY, claim="orders/db")
    rehearsal = await decided(changed(), COMPOSITE_READY, read)
    assert rehearsal.outcome == Skipped("its claim orders/db is told of")


@pytest.mark.parametrize(
    ("root", "owner", "controls", "whole"),
    [
        ("orders", "platform.company.com/v1", True, "XService orders"),
        ("orders", "platform.company.com/v1", None, ""),
        ("orders", "apps.example.com/v1", True, ""),
        ("orders-db", "platform.company.com/v1", True, ""),
        ("", "platform.company.com/v1", True, ""),
    ],
)
async def test_the_whole_is_told_of_and_not_its_parts(root, owner, controls, whole):
    references = [
        {"apiVersion": "v1", "kind": "ConfigMap", "name": "x"},
        {"apiVersion": owner, "kind": "XService", "name": "orders", "controller": controls},
    ]
    part = changed(
        metadata={
            "namespace": "dev",
            "name": "orders-db",
            "labels": {"crossplane.io/composite": root},
            "ownerReferences": references,
        }
    )
    rehearsal = await decided(part, COMPOSITE_SYNC_FAILED, found(CompositeState.FAILED))
    assert part.whole == whole
    assert (rehearsal.of(KeepMessage) == ()) == bool(whole)


async def test_who_has_no_channel_is_told_in_that_of_the_deployments():
    read = found(CompositeState.READY, owner="nobody")
    (message,) = (await decided(changed(), COMPOSITE_READY, read)).of(KeepMessage)
    assert message.channel == "#deployments"


@pytest.mark.parametrize(
    ("kind", "state", "severity"),
    [
        (COMPOSITE_SYNC_FAILED, CompositeState.FAILED, Severity.ERROR),
        (COMPOSITE_STUCK, CompositeState.PENDING, Severity.CRITICAL),
    ],
)
async def test_production_that_is_in_trouble_pages_and_is_resolved_with_the_same_key(
    kind, state, severity
):
    about = changed(namespace="orders")
    trouble = await decided(about, kind, found(state, environment="production"))
    (incident,) = trouble.of(TriggerIncident)
    assert incident.severity == severity
    assert "no room" in incident.summary

    well = await decided(
        about, COMPOSITE_READY, found(CompositeState.READY, environment="production")
    )
    assert [one.dedup_key for one in well.of(ResolveIncident)] == [incident.dedup_key]


async def test_production_that_is_deleted_is_resolved_by_what_the_event_remembers():
    about = changed(namespace="production")
    rehearsal = await decided(about, COMPOSITE_DELETED, Composite(state=CompositeState.GONE))
    assert len(rehearsal.of(ResolveIncident)) == 1


async def test_each_state_shows_over_the_one_before_it():
    later = found(CompositeState.READY, since="2026-11-22T10:00:01Z")
    told = [
        await decided(changed(), COMPOSITE_SYNC_FAILED, found(CompositeState.FAILED)),
        await decided(changed(), COMPOSITE_STUCK, found(CompositeState.FAILED)),
        await decided(changed(), COMPOSITE_DELETED, Composite(state=CompositeState.GONE)),
        await decided(changed(), COMPOSITE_READY, later),
    ]
    versions = [one.of(KeepMessage)[0].version for one in told]
    assert versions == sorted(set(versions))


async def test_the_last_warning_is_a_detail_of_the_message_and_of_the_incident():
    read = found(CompositeState.FAILED, environment="production", warning="CannotCreate: quota")
    trouble = await decided(changed(), COMPOSITE_SYNC_FAILED, read)
    (message,), (incident,) = trouble.of(KeepMessage), trouble.of(TriggerIncident)
    assert ("last warning", "CannotCreate: quota") in incident.details
    assert message.lines[-1].text == "CannotCreate: quota"
    assert "quota" not in message.title + incident.summary


async def test_a_time_that_is_none_is_no_reason_to_say_nothing():
    (message,) = (
        await decided(changed(), COMPOSITE_READY, found(CompositeState.READY, since="soon"))
    ).of(KeepMessage)
    assert message.version == 0


async def test_drift_is_told_and_its_end_only_where_drift_was():
    drifted = ManagedResourceChanged.model_validate(
        {
            "resource": {**PLACE, "kind": "Instance"},
            "metadata": {"name": "orders-db", "uid": "u"},
            "status": {
                "conditions": [
                    {
                        "type": "UpToDate",
                        "reason": "UpdateRestricted",
                        "message": "storage may not shrink",
                        "lastTransitionTime": SINCE,
                    }
                ]
            },
        }
    )
    messages = []
    for kind in (MANAGED_DRIFTED, MANAGED_CORRECTED):
        rehearsal = await rehearse(announce_drift, drifted, platform=PLATFORM, event=saying(kind))
        messages += rehearsal.of(KeepMessage)
    first, second = messages
    assert first.title == "Instance orders-db has drifted"
    assert [line.text for line in first.lines] == ["UpdateRestricted", "storage may not shrink"]
    assert (first.only_update, second.only_update) == (False, True)
    assert first.key == second.key
    assert first.version < second.version
