"""Tekton's CloudEvents: https://tekton.dev/docs/pipelines/events/.

Tekton draws a new id for every send, repeats itself after a restart, and builds `source` from what
may be empty. So the id is derived from the run's uid, the type and the time of the run's last
transition, and which kind of run it is stands in the type and in the body.
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
from hub.events.kubernetes import Conditions, Text, condition
from hub.events.tekton import PIPELINE, REPOSITORY, SUCCEEDED
from hub.events.view import View
from hub.sources import cloudevents
from hub.sources.interface import Headers, Ignored, Taken

_TYPE = re.compile(r"dev\.tekton\.event\.(pipelinerun|taskrun|customrun)\.[a-z]{1,32}\.v1")


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


def _identified(event: Envelope) -> Envelope:
    run = _run(event)
    # The uid is missing only in what people write by hand; then the source names the run.
    changed_at = condition(run.conditions, SUCCEEDED).since
    return checked(
        replace(
            event,
            id=derive_id(run.uid or event.source, event.type, changed_at),
            partitionkey=run.repository or run.pipeline or f"{run.namespace}/{run.name}",
        )
    )


def _run(event: Envelope) -> _Run:
    if not is_json(event.datacontenttype):
        raise UnsupportedMedia("the run is not sent as JSON")
    body = _Body.read(event)
    runs = {"pipelinerun": body.pipelinerun, "taskrun": body.taskrun, "customrun": body.customrun}
    run = runs[event.type.split(".")[3]]
    if run is None:
        raise Malformed("the body has no run of the kind that the type names")
    return run
