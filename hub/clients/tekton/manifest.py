"""The PipelineRun that the hub creates. Pure: no I/O.

API: tekton.dev/v1, https://tekton.dev/docs/pipelines/pipelineruns/.
"""

import hashlib
from urllib.parse import urlsplit

from hub.actions.action import Call
from hub.actions.tekton import StartPipelineRun
from hub.clients.kubernetes import ObjectPart
from hub.clients.names import (
    LABEL_LENGTH,
    check_revision,
    is_label_value,
    label_of,
    split_repository,
)
from hub.clients.tekton.marks import (
    ATTEMPT,
    BRANCH,
    EVENT_ID,
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
from hub.settings import ForkSettings, KubernetesSettings

_WORKSPACE = "source"
_TIMEOUT = "1h0m0s"
"""Tekton's own default, said aloud so that a cluster's other default does not change it."""

_SHORT_REVISION = 7
_IMAGE_TAG = 12
"""Digits of the SHA in an image's tag: unique in any one repository, and readable."""
_HASH = 10
_SERVICE_LENGTH = LABEL_LENGTH - _SHORT_REVISION - _HASH - 2
"""The name goes into labels of the run's pods, so it has to fit into one."""


class _Parameter(ObjectPart):
    name: str
    value: str


class _TaskRunTemplate(ObjectPart):
    service_account_name: str


class _Requests(ObjectPart):
    storage: str


class _Resources(ObjectPart):
    requests: _Requests


class _ClaimSpec(ObjectPart):
    access_modes: tuple[str, ...] = ("ReadWriteOnce",)
    resources: _Resources


class _ClaimTemplate(ObjectPart):
    spec: _ClaimSpec


class _Workspace(ObjectPart):
    name: str = _WORKSPACE
    volume_claim_template: _ClaimTemplate


class _Timeouts(ObjectPart):
    pipeline: str = _TIMEOUT


class _Metadata(ObjectPart):
    name: str
    labels: dict[str, str]
    annotations: dict[str, str]


class _Spec(ObjectPart):
    pipeline_ref: Named
    params: tuple[_Parameter, ...]
    task_run_template: _TaskRunTemplate
    workspaces: tuple[_Workspace, ...]
    timeouts: _Timeouts = _Timeouts()
    status: str | None = None


class Manifest(ObjectPart):
    """The PipelineRun that the hub creates. The namespace stands in the address, not in here."""

    api_version: str = "tekton.dev/v1"
    kind: str = "PipelineRun"
    metadata: _Metadata
    spec: _Spec

    def to_json(self) -> bytes:
        """Return it as the API server takes it."""
        return self.model_dump_json(by_alias=True, exclude_none=True).encode()


def manifest(action: StartPipelineRun, call: Call, settings: KubernetesSettings) -> Manifest:
    """Describe the run that builds one commit.

    Everything that grants rights (service account, pipeline, workspace) comes from the settings and
    the handler; what came from outside is data, checked or cut. Raises PermanentError.
    """
    split_repository(action.repository)
    check_revision(action.revision)
    _check_clone_url(action.clone_url)
    lane = lane_of(settings, fork=action.fork)
    return Manifest(
        metadata=_Metadata(
            name=run_name(action),
            labels=_labels(action, call),
            annotations=_annotations(action, call),
        ),
        spec=_Spec(
            pipeline_ref=Named(name=action.pipeline),
            params=_params(action),
            task_run_template=_TaskRunTemplate(service_account_name=lane.service_account),
            workspaces=(_workspace(settings.workspace_size),),
            status=PENDING if settings.runs_per_service else None,
        ),
    )


def lane_of(settings: KubernetesSettings, *, fork: bool) -> KubernetesSettings | ForkSettings:
    """Return where a run belongs and as whom it runs. Raises PermanentError for a fork's without.

    A stranger's commit never falls back to the namespace and the account that have secrets.
    """
    if not fork:
        return settings
    if settings.forks is None:
        raise PermanentError("forks are not built: the settings have no kubernetes.forks")
    return settings.forks


def run_name(action: StartPipelineRun) -> str:
    """Return the name that this build always gets: DNS-1123, at most 63 characters."""
    parts = (
        action.repository,
        action.ref,
        action.revision,
        action.pipeline,
        str(action.attempt),
    )
    digest = hashlib.sha256("\0".join(parts).encode()).hexdigest()[:_HASH]
    service = label_of(action.service, length=_SERVICE_LENGTH)
    return f"{service}-{action.revision[:_SHORT_REVISION]}-{digest}"


def branch_of(ref: str) -> str:
    """Return the branch that a ref names, slashes and all; empty for anything but a branch."""
    return ref.removeprefix("refs/heads/") if ref.startswith("refs/heads/") else ""


def _labels(action: StartPipelineRun, call: Call) -> dict[str, str]:
    """Return what runs are found by. An event's id may be anything: the annotation has it whole."""
    service = label_of(action.service)
    number = action.pull_request
    always = {
        MANAGED_BY: US,
        "app.kubernetes.io/name": service,
        "app.kubernetes.io/component": "ci",
        "backstage.io/kubernetes-id": service,
        SERVICE: service,
    }
    found_by = {
        PULL_REQUEST: "" if number is None else str(number),
        EVENT_ID: call.event.id if is_label_value(call.event.id) else "",
    }
    return always | {name: value for name, value in found_by.items() if value}


def _annotations(action: StartPipelineRun, call: Call) -> dict[str, str]:
    return {
        REPOSITORY: action.repository,
        REF: action.ref,
        ATTEMPT: str(action.attempt),
        BRANCH: branch_of(action.ref),
        REVISION: action.revision,
        EVENT_ID: call.event.id,
        "trunkline.dev/event-source": call.event.source,
        "pruner.tekton.dev/resourceNameLabelKey": SERVICE,
    }


def _params(action: StartPipelineRun) -> tuple[_Parameter, ...]:
    values = {
        "git-url": action.clone_url,
        "git-revision": action.revision,
        "service-name": label_of(action.service),
        "repository": action.repository,
        "push-image": "true" if action.push_image else "false",
        "image-tag": action.revision[:_IMAGE_TAG],
    }
    return tuple(_Parameter(name=name, value=value) for name, value in values.items())


def _workspace(size: str) -> _Workspace:
    resources = _Resources(requests=_Requests(storage=size))
    return _Workspace(volume_claim_template=_ClaimTemplate(spec=_ClaimSpec(resources=resources)))


def _check_clone_url(url: str) -> None:
    """Refuse what git could read as something other than a web address, or that logs somebody in.

    `ext::` and a leading dash run commands; a credential would end up in the run's parameters.
    """
    parts = urlsplit(url)
    plain = url.isascii() and url.isprintable() and " " not in url
    if parts.scheme not in {"https", "http"} or not parts.hostname or parts.username or not plain:
        raise PermanentError("the repository's clone address is not a plain http(s) address")
