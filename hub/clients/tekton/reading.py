"""What the hub reads of a PipelineRun, in either API version. Pure: no I/O."""

from dataclasses import dataclass

from pydantic import Field, JsonValue, ValidationError

from hub.actions.tekton import PipelineRun, RunState, StartPipelineRun
from hub.clients.kubernetes import ObjectPart
from hub.clients.tekton.marks import (
    ATTEMPT,
    BRANCH,
    MANAGED_BY,
    PENDING,
    PULL_REQUEST,
    REF,
    REPOSITORY,
    REVISION,
    SERVICE,
    US,
    Named,
)
from hub.errors import PermanentError

PIPELINE_TASK = "tekton.dev/pipelineTask"
"""Label that Tekton sets on a TaskRun: which of the pipeline's tasks it is."""

_DIGITS = 10
_CANCELLED = frozenset({"Cancelled", "PipelineRunCancelled"})
_TIMED_OUT = frozenset({"PipelineRunTimeout"})


class _ReadMetadata(ObjectPart):
    namespace: str = ""
    name: str = ""
    uid: str = ""
    resource_version: str = ""
    creation_timestamp: str = ""
    labels: dict[str, str] = Field(default_factory=dict)
    annotations: dict[str, str] = Field(default_factory=dict)


class _ReadSpec(ObjectPart):
    pipeline_ref: Named = Named()
    status: str = ""


class _Condition(ObjectPart):
    type: str = ""
    status: str = "Unknown"
    reason: str = ""
    message: str = ""


class _Result(ObjectPart):
    name: str
    value: JsonValue = None


class _ReadStatus(ObjectPart):
    conditions: tuple[_Condition, ...] = ()
    start_time: str = ""
    completion_time: str = ""
    results: tuple[_Result, ...] = ()
    pipeline_results: tuple[_Result, ...] = ()
    """What `results` was called in v1beta1."""


class _Object(ObjectPart):
    metadata: _ReadMetadata = _ReadMetadata()
    spec: _ReadSpec = _ReadSpec()
    status: _ReadStatus = _ReadStatus()


def read_run(body: bytes) -> PipelineRun:
    """Read a PipelineRun of either version. Raises PermanentError where it is none."""
    run = _parsed(body)
    said = run.metadata.annotations
    condition = _succeeded(run.status)
    return PipelineRun(
        namespace=run.metadata.namespace,
        name=run.metadata.name,
        uid=run.metadata.uid,
        state=_state(condition, run.spec.status),
        pipeline=run.spec.pipeline_ref.name,
        service=run.metadata.labels.get(SERVICE, ""),
        repository=said.get(REPOSITORY, ""),
        branch=said.get(BRANCH, ""),
        revision=said.get(REVISION, ""),
        ref=said.get(REF, ""),
        pull_request=_number(run.metadata.labels.get(PULL_REQUEST, "")),
        attempt=_number(said.get(ATTEMPT, "")) or 1,
        reason=condition.reason,
        message=condition.message,
        started_at=run.status.start_time or run.metadata.creation_timestamp,
        finished_at=run.status.completion_time,
        results=_results(run.status),
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class Unfinished:
    """A run that goes on or waits, as it was at one version."""

    name: str
    version: str
    """Its resource version: a change that names it is refused where the run has moved on."""
    pending: bool
    ending: bool
    """Whether somebody has told it to end."""
    created_at: str
    repository: str
    revision: str


def read_unfinished(body: bytes) -> Unfinished | None:
    """Read what decides about a run from outside; None for one that has finished."""
    run = _parsed(body)
    state = _state(_succeeded(run.status), run.spec.status)
    if state.finished:
        return None
    return Unfinished(
        name=run.metadata.name,
        version=run.metadata.resource_version,
        pending=state is RunState.PENDING,
        ending=run.spec.status not in {"", PENDING},
        created_at=run.metadata.creation_timestamp,
        repository=run.metadata.annotations.get(REPOSITORY, ""),
        revision=run.metadata.annotations.get(REVISION, ""),
    )


def is_ours(body: bytes, action: StartPipelineRun) -> bool:
    """Whether a run that is there already was started by the hub for the same commit."""
    metadata = _Object.read(body).metadata
    return (
        metadata.labels.get(MANAGED_BY) == US
        and metadata.annotations.get(REPOSITORY) == action.repository
        and metadata.annotations.get(REVISION) == action.revision
    )


def read_failed_task(body: bytes) -> str:
    """Return the name that the pipeline gives a TaskRun's task; empty where it has not failed."""
    run = _parsed(body)
    has_failed = _succeeded(run.status).status == "False"
    return run.metadata.labels.get(PIPELINE_TASK, "") if has_failed else ""


def _number(text: str) -> int | None:
    """Return a number of ours; people can write into labels, too."""
    return int(text) if text.isascii() and text.isdigit() and len(text) < _DIGITS else None


def _succeeded(status: _ReadStatus) -> _Condition:
    found = (one for one in status.conditions if one.type == "Succeeded")
    return next(found, _Condition())


def _parsed(body: bytes) -> _Object:
    try:
        return _Object.read(body)
    except ValidationError as error:
        raise PermanentError("the Kubernetes API sent a PipelineRun that cannot be read") from error


def _state(condition: _Condition, wanted: str) -> RunState:
    if condition.status == "True":
        return RunState.SUCCEEDED
    if condition.status != "False":
        return RunState.PENDING if wanted == PENDING else RunState.RUNNING
    if condition.reason in _CANCELLED:
        return RunState.CANCELLED
    return RunState.TIMED_OUT if condition.reason in _TIMED_OUT else RunState.FAILED


def _results(status: _ReadStatus) -> dict[str, str]:
    """Return the string results; arrays and objects are nothing that the hub uses."""
    results = status.results or status.pipeline_results
    return {one.name: one.value for one in results if isinstance(one.value, str)}
