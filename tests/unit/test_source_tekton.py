"""What Tekton says of a run is one event, under the same id however often it is said."""

import json
from pathlib import Path
from typing import Any

import pytest
import yaml

from hub.errors import Malformed, UnsupportedMedia
from hub.events.envelope import Envelope
from hub.events.identity import derive_id
from hub.events.tekton import PipelineRunFinished, PipelineRunStarted
from hub.sources.interface import Ignored
from hub.sources.tekton import take

DATA = Path(__file__).parents[1] / "data"
MANIFEST = json.loads((DATA / "manifest.json").read_text())
TYPES = json.loads((DATA / "tekton/cloudevents/types.json").read_text())["types"]
RUNS = [one["file"] for one in MANIFEST if one["check"] == "TKN-RUN"]
SOURCES = [
    "/apis/tekton.dev/v1beta1/namespaces/ci/PipelineRun/build-1",
    "/apis/namespaces/ci/pipelineruns/build-1",
    "/apis///namespaces/ci//build-1",
    "/apis////namespaces/ci//build-1",
]
FINISHED = "dev.tekton.event.pipelinerun.successful.v1"


def run(file: str, **metadata: Any) -> dict[str, Any]:
    """A recorded run, with the metadata that a real one has and the recording left out."""
    text = (DATA / file).read_text()
    recorded = json.loads(text) if file.endswith(".json") else yaml.safe_load(text)
    named = {"namespace": "ci", "name": "build-1", "uid": "uid-1"}
    return {**recorded, "metadata": {**named, **(recorded.get("metadata") or {}), **metadata}}


def send(
    kind: str,
    key: str,
    body: dict[str, Any],
    *,
    source: str = SOURCES[0],
    sent_id: str = "random-1",
) -> Envelope:
    headers = {
        "ce-specversion": "1.0",
        "ce-id": sent_id,
        "ce-source": source,
        "ce-type": kind,
        "ce-subject": "build-1",
        "ce-time": "2026-03-02T10:00:00Z",
        "content-type": "application/json",
    }
    taken = take(headers, json.dumps({key: body}, default=str).encode(), hubkey="tekton/a")
    assert not isinstance(taken, Ignored)
    assert len(taken) == 1
    return taken[0]


@pytest.mark.parametrize("file", RUNS)
@pytest.mark.parametrize("type_", TYPES, ids=lambda one: one["type"])
def test_each_type_with_each_recorded_run_is_one_event(type_: dict[str, str], file: str) -> None:
    body = run(file)
    place = "namespaces/{namespace}/{kind}s/{name}".format(
        kind=type_["type"].split(".")[3], **body["metadata"]
    )
    for source in SOURCES:
        event = send(type_["type"], type_["data_key"], body, source=source)
        assert event.source == f"/apis/tekton.dev/{place}"
        assert (event.type, event.hubkey) == (type_["type"], "tekton/a")
        assert list(json.loads(event.data)) == [type_["data_key"]]


def test_a_run_that_is_told_again_under_another_id_is_the_same_event() -> None:
    body = run("tekton/runs/pipeline-v1/pipelinerun-childrefs.json")
    first = send(FINISHED, "pipelineRun", body, sent_id="random-1")
    again = send(FINISHED, "pipelineRun", body, sent_id="random-2")
    assert first.id == again.id == derive_id("uid-1", FINISHED, "2021-03-29T09:50:15Z")


def test_another_run_state_or_transition_is_another_event() -> None:
    body = run("tekton/runs/pipeline-v1/pipelinerun-childrefs.json")
    later = json.loads(json.dumps(body).replace("09:50:15Z", "09:50:16Z"))
    other = run("tekton/runs/pipeline-v1/pipelinerun-childrefs.json", uid="uid-2")
    failed = FINISHED.replace("successful", "failed")
    ids = {
        send(FINISHED, "pipelineRun", body).id,
        send(FINISHED, "pipelineRun", later).id,
        send(FINISHED, "pipelineRun", other).id,
        send(failed, "pipelineRun", body).id,
    }
    assert len(ids) == 4


def test_the_transition_is_that_of_the_succeeded_condition_wherever_it_stands() -> None:
    ready = {"type": "Ready", "status": "True", "lastTransitionTime": "2000-01-01T00:00:00Z"}
    body = run("tekton/runs/pipeline-v1/pipelinerun-childrefs.json")
    expected = send(FINISHED, "pipelineRun", body).id
    body["status"]["conditions"].insert(0, ready)
    assert send(FINISHED, "pipelineRun", body).id == expected


@pytest.mark.parametrize(
    ("metadata", "spec", "key"),
    [
        (
            {
                "annotations": {"trunkline.dev/repository": "o/r"},
                "labels": {"tekton.dev/pipeline": "ci"},
            },
            {},
            "o/r",
        ),
        ({"labels": {"trunkline.dev/repository": "o/r"}}, {}, "o/r"),
        ({"labels": {"tekton.dev/pipeline": "ci"}}, {"pipelineRef": {"name": "other"}}, "ci"),
        ({"annotations": None, "labels": None}, {"pipelineRef": {"name": "ci"}}, "ci"),
        ({}, {}, "ns/n"),
    ],
)
def test_the_key_is_the_repository_else_the_pipeline_else_the_run(
    metadata: dict[str, Any], spec: dict[str, Any], key: str
) -> None:
    named = {"namespace": "ns", "name": "n", "uid": "u"}
    body = {"metadata": {**named, **metadata}, "spec": spec}
    assert send(FINISHED, "pipelineRun", body).partitionkey == key


def test_the_structured_mode_says_the_same_as_the_binary_one() -> None:
    body = run("tekton/runs/slsa-v2alpha4/pipelinerun1.json")
    binary = send(FINISHED, "pipelineRun", body)
    structured = json.dumps(
        {
            "specversion": "1.0",
            "id": "random-2",
            "source": SOURCES[0],
            "type": FINISHED,
            "subject": "build-1",
            "time": "2026-03-02T10:00:00Z",
            "datacontenttype": "application/json",
            "data": {"pipelineRun": body},
        }
    ).encode()
    headers = {"content-type": "application/cloudevents+json"}
    assert take(headers, structured, hubkey="tekton/a") == (binary,)


def test_the_documented_event_is_taken() -> None:
    body = json.loads((DATA / "tekton/docs/events-L154-x.json").read_bytes())
    event = send("dev.tekton.event.taskrun.started.v1", "taskRun", body["taskRun"])
    assert event.partitionkey == "default/curl-run-6gplk"


@pytest.mark.parametrize(
    "type_",
    [
        "dev.tekton.event.triggers.started.v1",
        "dev.tekton.event.run.started.v1",
        "dev.tekton.event.pipelinerun.started.v2",
        "cd.change.merged.v1",
        "dev.tekton.eventx.pipelinerun.started.v1",
    ],
)
def test_what_is_not_about_a_run_is_ignored_unread(type_: str) -> None:
    headers = {"ce-specversion": "1.0", "ce-id": "1", "ce-source": "/x", "ce-type": type_}
    assert isinstance(take(headers, b'{"eventListener": 5}', hubkey="tekton/a"), Ignored)


@pytest.mark.parametrize(
    "body", [b"", b"{}", b"[]", b'{"taskRun": {}}', b'{"pipelineRun": null}', b'{"pipelineRun": 5}']
)
def test_a_body_that_is_not_the_run_that_the_type_names_is_malformed(body: bytes) -> None:
    headers = {
        "ce-specversion": "1.0",
        "ce-id": "1",
        "ce-source": "/x",
        "ce-type": FINISHED,
        "content-type": "application/json",
    }
    with pytest.raises(Malformed):
        take(headers, body, hubkey="tekton/a")
    with pytest.raises(UnsupportedMedia):
        take({**headers, "content-type": "text/plain"}, body, hubkey="tekton/a")


@pytest.mark.parametrize("file", [file for file in RUNS if "pipeline" in Path(file).name])
def test_the_views_read_every_recorded_pipeline_run(file: str) -> None:
    body = run(file)
    conditions = body["status"]["conditions"]
    finished = PipelineRunFinished.read(send(FINISHED, "pipelineRun", body))
    started = PipelineRunStarted.read(send(FINISHED, "pipelineRun", body))
    for view in (finished, started):
        assert (view.namespace, view.name, view.uid) == (
            body["metadata"]["namespace"],
            body["metadata"]["name"],
            body["metadata"]["uid"],
        )
        assert (view.reason, view.message) == (conditions[0]["reason"], conditions[0]["message"])
    assert finished.succeeded == (conditions[0]["status"] == "True")
    assert finished.completed_at == body["status"].get("completionTime", "")
    assert started.started_at == body["status"].get("startTime", "")


def finished(status: dict[str, Any], **metadata: Any) -> PipelineRunFinished:
    body = {"metadata": {"uid": "u", **metadata}, "status": status}
    return PipelineRunFinished.read(send(FINISHED, "pipelineRun", body))


def test_results_are_read_under_their_old_and_their_new_name() -> None:
    listed = [
        {"name": "IMAGE_URL", "type": "string", "value": "registry.example.com/app"},
        {"name": "LIST", "type": "array", "value": ["a"]},
        {"name": "OBJECT", "type": "object", "value": {"a": "b"}},
    ]
    for name in ("results", "pipelineResults"):
        assert finished({name: listed}).results == {"IMAGE_URL": "registry.example.com/app"}
    assert finished({"results": None}).results == {}
    assert finished({}).results == {}


def test_what_the_hub_marked_its_run_with_is_read() -> None:
    view = finished(
        {},
        annotations={
            "trunkline.dev/repository": "o/r",
            "trunkline.dev/branch": "feature/x",
            "trunkline.dev/revision": "1" * 40,
        },
        labels={"trunkline.dev/service": "r", "tekton.dev/pipeline": "ci"},
    )
    assert (view.repository, view.branch, view.revision) == ("o/r", "feature/x", "1" * 40)
    assert (view.service, view.pipeline) == ("r", "ci")


@pytest.mark.parametrize("reason", ["Failed", "Cancelled", "PipelineRunTimeout"])
def test_failed_cancelled_and_timed_out_are_told_apart_by_the_reason(reason: str) -> None:
    view = finished({"conditions": [{"type": "Succeeded", "status": "False", "reason": reason}]})
    assert (view.succeeded, view.reason) == (False, reason)
