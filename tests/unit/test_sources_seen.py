"""What a source makes of an object that is watched: what a webhook makes of it, and no secret."""

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import orjson
import pytest
import yaml

from hub.errors import Malformed
from hub.events.argocd import ApplicationChanged
from hub.events.crossplane import CompositeChanged
from hub.events.tekton import PipelineRunFinished
from hub.sources import argocd, crossplane, tekton
from hub.sources.interface import Ignored, Seen, Sighting

DATA = Path(__file__).parents[1] / "data"
MANIFEST = json.loads((DATA / "manifest.json").read_text())
RUNS = [
    one["file"] for one in MANIFEST if one["check"] == "TKN-RUN" and "pipelinerun" in one["file"]
]
APPLICATIONS = [
    folder
    for folder in sorted((DATA / "argocd/rendered").iterdir())
    if json.loads((folder / "trunkline-created.json").read_text())["app"]["metadata"]["name"]
]
MANAGED = sorted((DATA / "crossplane/objects").glob("*.yaml"))
NOON, LATER, LATEST = (f"2026-03-02T12:0{minute}:00Z" for minute in range(3))
PASSWORD = "not-for-the-log"


def load(file: Path) -> dict[str, Any]:
    """Read an object, its times as Kubernetes has them."""
    text = file.read_text()
    found = json.loads(text) if file.suffix == ".json" else yaml.safe_load(text)
    return json.loads(json.dumps(found, default=lambda time: f"{time:%Y-%m-%dT%H:%M:%SZ}"))


def sighting(body: Mapping[str, Any], *, plural: str = "postgresqlinstances") -> Sighting:
    return Sighting(
        cluster="platform",
        group="platform.company.com",
        version="v1alpha1",
        plural=plural,
        kind="PostgreSQLInstance",
        body=orjson.dumps(body),
    )


def composite(*conditions: tuple[str, str, str], **metadata: str) -> dict[str, Any]:
    """Describe a database with conditions as (type, status, reason), one a minute from noon."""
    times = (NOON, LATER, LATEST)
    return {
        "metadata": {
            "namespace": "orders",
            "name": "orders-db",
            "uid": "u-1",
            "creationTimestamp": NOON,
            **metadata,
        },
        "spec": {"password": PASSWORD},
        "status": {
            "address": PASSWORD,
            "conditions": [
                {"type": one[0], "status": one[1], "reason": one[2], "lastTransitionTime": at}
                for one, at in zip(conditions, times, strict=False)
            ],
        },
    }


def short(seen: Seen) -> list[str]:
    return [event.type.removeprefix("io.crossplane.").removesuffix(".v1") for event in seen.events]


def test_the_conditions_of_a_composite_are_events_in_the_order_they_came_about() -> None:
    body = composite(("Ready", "True", "Available"), ("Synced", "True", "ReconcileSuccess"))
    body["status"]["conditions"].reverse()
    seen = crossplane.see_composite(sighting(body))
    assert short(seen) == ["composite.ready", "composite.synced"]
    ready = seen.events[0]
    assert ready.source == (
        "/kubernetes/platform/platform.company.com/PostgreSQLInstance/orders/orders-db"
    )
    assert (ready.subject, ready.partitionkey) == ("orders/orders-db", "orders/orders-db")
    assert ready.time == NOON
    assert seen.overdue is None


def test_a_condition_is_one_event_until_it_changes() -> None:
    def ids(*conditions: tuple[str, str, str]) -> list[str]:
        seen = crossplane.see_composite(sighting(composite(*conditions)))
        return [event.id for event in seen.events]

    creating = ("Ready", "False", "Creating")
    synced = ("Synced", "True", "ReconcileSuccess")
    assert ids(creating, synced) == ids(creating, synced)
    assert ids(creating)[0] != ids(("Ready", "True", "Available"))[0]
    assert ids(creating)[0] != ids(synced, creating)[1]


def test_what_is_not_ready_or_not_synced_is_overdue_since_then() -> None:
    def since(body: dict[str, Any]) -> float | None:
        overdue = crossplane.see_composite(sighting(body)).overdue
        return overdue and overdue.since - 1772452800

    failed = ("Synced", "False", "ReconcileError")
    ready = ("Ready", "True", "Available")
    assert since(composite(("Ready", "False", "Creating"))) == 0
    assert since(composite(ready, failed)) == 60
    assert since(composite()) == 0
    assert since(composite(ready, deletionTimestamp=LATEST)) == 120
    assert since(composite(ready)) is None


def test_what_was_paused_on_purpose_has_not_failed() -> None:
    body = composite(("Ready", "False", "Creating"), ("Synced", "False", "ReconcilePaused"))
    seen = crossplane.see_composite(sighting(body))
    assert short(seen) == ["composite.not-ready"]
    assert seen.overdue is None


def test_what_is_told_of_a_composite_can_be_read_and_holds_nothing_else_of_it() -> None:
    body = composite(("Synced", "False", "ReconcileError"))
    body["status"]["conditions"][0]["message"] = "cannot create the subnet group"
    body["metadata"]["labels"] = {"trunkline.dev/owner": "orders"}
    (event,) = crossplane.see_composite(sighting(body)).events
    view = CompositeChanged.read(event)
    assert (view.plural, view.namespace, view.name) == (
        "postgresqlinstances",
        "orders",
        "orders-db",
    )
    assert (view.owner, view.message) == ("orders", "cannot create the subnet group")
    assert PASSWORD.encode() not in event.data


def test_what_a_composite_is_a_part_of_is_told() -> None:
    body = composite(("Ready", "False", "Creating"))
    body["metadata"]["labels"] = {"crossplane.io/composite": "orders"}
    body["metadata"]["ownerReferences"] = [
        {
            "apiVersion": "platform.company.com/v1alpha1",
            "kind": "XService",
            "name": "orders",
            "uid": "u-0",
            "controller": True,
        }
    ]
    (event,) = crossplane.see_composite(sighting(body)).events
    assert CompositeChanged.read(event).whole == "XService orders"


def test_drift_and_its_end_are_events_and_nothing_else_of_a_managed_resource_is() -> None:
    ready = ("Ready", "True", "Available")
    drifted = composite(ready, ("UpToDate", "False", "UpdateRestricted"))
    mended = composite(ready, ("UpToDate", "True", "ObserveMatched"))
    assert short(crossplane.see_managed(sighting(drifted))) == ["managed.drifted"]
    assert short(crossplane.see_managed(sighting(mended))) == ["managed.corrected"]
    assert short(crossplane.see_managed(sighting(composite(ready)))) == []


@pytest.mark.parametrize("file", MANAGED, ids=lambda file: file.stem)
def test_real_objects_are_read(file: Path) -> None:
    body = load(file)
    body["metadata"].setdefault("uid", "u")
    conditions = {one["type"]: one["status"] for one in body["status"]["conditions"]}
    seen = crossplane.see_composite(sighting(body))
    expected = {
        ("Ready", "True"): "composite.ready",
        ("Ready", "False"): "composite.not-ready",
        ("Synced", "True"): "composite.synced",
        ("Synced", "False"): "composite.sync-failed",
    }
    assert sorted(short(seen)) == sorted(expected[one] for one in conditions.items())
    is_well = set(conditions.values()) == {"True"} and len(conditions) == 2
    assert (seen.overdue is None) == is_well


def test_what_has_no_uid_is_refused() -> None:
    body = composite()
    del body["metadata"]["uid"]
    with pytest.raises(Malformed):
        crossplane.see_composite(sighting(body))


@pytest.mark.parametrize("folder", APPLICATIONS, ids=lambda folder: folder.name)
def test_an_application_is_the_same_events_watched_or_notified(folder: Path) -> None:
    app: dict[str, Any] = {}
    notified = set()
    for rendered in folder.glob("trunkline-*.json"):
        app |= json.loads(rendered.read_text())["app"]
        taken = argocd.take({}, rendered.read_bytes(), hubkey="argocd/a")
        if not isinstance(taken, Ignored):
            notified |= {(one.source, one.id, one.type, one.partitionkey) for one in taken}
    seen = argocd.see(sighting(app))
    watched = {(one.source, one.id, one.type, one.partitionkey) for one in seen.events}
    assert notified <= watched
    for event in seen.events:
        assert ApplicationChanged.read(event) == ApplicationChanged.read(seen.events[0])


@pytest.mark.parametrize("file", RUNS)
def test_a_run_is_the_same_event_watched_or_sent_by_tekton(file: str) -> None:
    body = load(DATA / file)
    body["metadata"] = {
        "namespace": "ci",
        "name": "build-1",
        "uid": "u",
        **body.get("metadata", {}),
    }
    seen = tekton.see(sighting(body))
    if not (body.get("status") or {}).get("conditions"):
        assert seen.events == ()
        return
    (watched,) = seen.events
    headers = {
        "ce-specversion": "1.0",
        "ce-id": "drawn",
        "ce-source": "/apis///namespaces/ci//build-1",
        "ce-type": watched.type,
        "content-type": "application/json",
    }
    sent = tekton.take(headers, orjson.dumps({"pipelineRun": body}), hubkey="tekton/a")
    assert not isinstance(sent, Ignored)
    assert (watched.source, watched.id, watched.partitionkey) == (
        sent[0].source,
        sent[0].id,
        sent[0].partitionkey,
    )
    assert PipelineRunFinished.read(watched) == PipelineRunFinished.read(sent[0])
