"""Tekton's CloudEvents (https://tekton.dev/docs/pipelines/events/), and PipelineRuns as watched.

Tekton draws a new id for every send, repeats itself after a restart, and builds `source` from what
may be empty. So the id is derived from the run's uid, the type and the time of the run's last
transition, and the source from the run's name: a notification and a watch make the same event.
"""

import re
from dataclasses import replace
from typing import ClassVar

from pydantic import AliasChoices, AliasPath, BaseModel, Field

from hub.errors import Malformed, UnsupportedMedia
from hub.events.attributes import checked
from hub.events.envelope import Envelope
from hub.events.identity import derive_id
from hub.events.json_format import is_json
from hub.events.json_parts import only
from hub.events.kubernetes import Condition, Conditions, Text, condition
from hub.events.strict_json import read
from hub.events.tekton import PIPELINE, REPOSITORY, SUCCEEDED
from hub.events.types import (
    PIPELINE_RUN_FAILED,
    PIPELINE_RUN_RUNNING,
    PIPELINE_RUN_STARTED,
    PIPELINE_RUN_SUCCESSFUL,
    PIPELINE_RUN_UNKNOWN,
)
from hub.events.view import View
from hub.sources import cloudevents
from hub.sources.interface import Headers, Ignored, Seen, Sighting, Taken

_TYPE = re.compile(r"dev\.tekton\.event\.(pipelinerun|taskrun|customrun)\.[a-z]{1,32}\.v1")


_PARTS = (
    *("apiVersion", "kind", "metadata.namespace", "metadata.name", "metadata.uid"),
    *("metadata.labels", "metadata.annotations", "metadata.creationTimestamp"),
    *("spec.pipelineRef", "status.conditions", "status.startTime", "status.completionTime"),
    *("status.results", "status.pipelineResults", "status.childReferences"),
)
"""What the data of an event that was watched have of the run: specifications may be large."""


class _Run(BaseModel):
    """What names a run and its state, whatever kind of run it is."""

    namespace: Text = Field("", validation_alias=AliasPath("metadata", "namespace"))
    name: Text = Field("", validation_alias=AliasPath("metadata", "name"))
    uid: Text = Field("", validation_alias=AliasPath("metadata", "uid"))
    repository: Text = Field(
        "",
        validation_alias=AliasChoices(
            AliasPath("metadata", "annotations", REPOSITORY),
            AliasPath("metadata", "labels", REPOSITORY),
        ),
    )
    pipeline: Text = Field(
        "",
        validation_alias=AliasChoices(
            AliasPath("metadata", "labels", PIPELINE), AliasPath("spec", "pipelineRef", "name")
        ),
    )
    conditions: Conditions = Field((), validation_alias=AliasPath("status", "conditions"))


class _Body(View):
    """The body has one member, named after the kind of run."""

    types: ClassVar[tuple[str, ...]] = ()

    pipelinerun: _Run | None = Field(None, validation_alias="pipelineRun")
    taskrun: _Run | None = Field(None, validation_alias="taskRun")
    customrun: _Run | None = Field(None, validation_alias="customRun")


def take(headers: Headers, body: bytes, *, hubkey: str) -> Taken:
    """Take Tekton's events about runs, under ids of our own; what else it sends is ignored.

    Raises Malformed, UnsupportedMedia and Forbidden as for any CloudEvent, and Malformed where the
    body is no run of the kind that the type names.
    """
    sent = cloudevents.take(headers, body, hubkey=hubkey)
    if isinstance(sent, Ignored):
        return sent
    taken = tuple(_identified(event) for event in sent if _TYPE.fullmatch(event.type))
    return taken or Ignored("not an event of a PipelineRun, TaskRun or CustomRun")


def see(sighting: Sighting) -> Seen:
    """Make a PipelineRun the event that Tekton sends of its state. Raises Malformed.

    A run that Tekton has not looked at yet is none.
    """
    part = only(sighting.body, _PARTS)
    run = read(_Run, part)
    stands = condition(run.conditions, SUCCEEDED)
    if not stands.status:
        return Seen(uid=run.uid, events=())
    event = Envelope(
        id="",
        source="",
        type=_type_of(stands),
        subject=run.name,
        time=stands.since or None,
        partitionkey="",
        data=b'{"pipelineRun":%b}' % part,
    )
    return Seen(uid=run.uid, events=(_named(event, run, kind="pipelinerun"),))


def _type_of(stands: Condition) -> str:
    """Return the type that Tekton's own controller gives a PipelineRun's state."""
    if stands.status == "True":
        return PIPELINE_RUN_SUCCESSFUL
    if stands.status == "False":
        return PIPELINE_RUN_FAILED
    begun = {"Started": PIPELINE_RUN_STARTED, "Running": PIPELINE_RUN_RUNNING}
    return begun.get(stands.reason, PIPELINE_RUN_UNKNOWN)


def _identified(event: Envelope) -> Envelope:
    kind = event.type.split(".")[3]
    return _named(event, _run(event, kind), kind=kind)


def _named(event: Envelope, run: _Run, *, kind: str) -> Envelope:
    """Name an event after the run's state, however it was heard of."""
    # Name and uid are missing only in what people write by hand; then its source names the run.
    source = event.source
    if run.namespace and run.name:
        source = f"/apis/tekton.dev/namespaces/{run.namespace}/{kind}s/{run.name}"
    changed_at = condition(run.conditions, SUCCEEDED).since
    return checked(
        replace(
            event,
            id=derive_id(run.uid or event.source, event.type, changed_at),
            source=source,
            partitionkey=run.repository or run.pipeline or f"{run.namespace}/{run.name}",
        )
    )


def _run(event: Envelope, kind: str) -> _Run:
    if not is_json(event.datacontenttype):
        raise UnsupportedMedia("the run is not sent as JSON")
    body = _Body.read(event)
    runs = {"pipelinerun": body.pipelinerun, "taskrun": body.taskrun, "customrun": body.customrun}
    run = runs[kind]
    if run is None:
        raise Malformed("the body has no run of the kind that the type names")
    return run
