"""Argo CD: reads an Application from the cluster. Never writes one.

API: argoproj.io/v1alpha1, https://argo-cd.readthedocs.io/en/stable/operator-manual/application.yaml
"""

from pydantic import Field, ValidationError

from hub.actions.action import Call
from hub.actions.argocd import Application, ReadApplication
from hub.clients.kubernetes import Kubernetes, ObjectPart, Resource
from hub.clients.names import is_object_name
from hub.errors import PermanentError
from hub.events.argocd import REQUESTS_OF

APPLICATIONS = Resource(group="argoproj.io", version="v1alpha1", plural="applications")

SERVICE = "trunkline.dev/service"
ENVIRONMENT = "trunkline.dev/environment"

_COMMIT_LENGTHS = frozenset({40, 64})


class ArgoCD:
    """The Applications that the hub's service account may read."""

    def __init__(self, kubernetes: Kubernetes) -> None:
        self._kubernetes = kubernetes

    async def read(self, action: ReadApplication, _call: Call) -> Application:
        """Return an Application as the cluster has it; `exists` False where there is none."""
        missing = Application(namespace=action.namespace, name=action.application, exists=False)
        if not (is_object_name(action.namespace) and is_object_name(action.application)):
            return missing
        body = await self._kubernetes.get(
            APPLICATIONS, namespace=action.namespace, name=action.application
        )
        return missing if body is None else read_application(body, missing)


class _Metadata(ObjectPart):
    labels: dict[str, str] = Field(default_factory=dict)


class _Health(ObjectPart):
    status: str = ""
    last_transition_time: str = ""


class _Sync(ObjectPart):
    status: str = ""


class _Revisions(ObjectPart):
    revision: str = ""
    revisions: tuple[str, ...] = ()
    """One for each source of an Application that has several."""


class _Operation(ObjectPart):
    sync: _Revisions = _Revisions()


class _OperationState(ObjectPart):
    phase: str = ""
    message: str = ""
    started_at: str = ""
    finished_at: str = ""
    sync_result: _Revisions = _Revisions()
    operation: _Operation = _Operation()


class _Status(ObjectPart):
    health: _Health = _Health()
    sync: _Sync = _Sync()
    operation_state: _OperationState = _OperationState()


class _Object(ObjectPart):
    metadata: _Metadata = _Metadata()
    status: _Status = _Status()


def read_application(body: bytes, named: Application) -> Application:
    """Read an Application; `named` says which one was asked for. Raises PermanentError."""
    try:
        app = _Object.read(body)
    except ValidationError as error:
        raise PermanentError(
            "the Kubernetes API sent an Application that cannot be read"
        ) from error
    operation = app.status.operation_state
    labels = app.metadata.labels
    service, environment = _split(named.name)
    requests_of = labels.get(REQUESTS_OF, "")
    return Application(
        namespace=named.namespace,
        name=named.name,
        exists=True,
        health=app.status.health.status,
        health_since=app.status.health.last_transition_time,
        sync=app.status.sync.status,
        phase=operation.phase,
        revision=_revision(operation),
        started_at=operation.started_at,
        finished_at=operation.finished_at,
        message=operation.message,
        service="" if requests_of else labels.get(SERVICE) or service,
        environment=labels.get(ENVIRONMENT) or environment,
        requests_of=requests_of,
    )


def _split(name: str) -> tuple[str, str]:
    service, dash, environment = name.rpartition("-")
    return (service, environment) if dash else (name, "")


def _revision(operation: _OperationState) -> str:
    """Return the gitops commit that was synced: what came of it, else what was asked for."""
    return _commit(operation.sync_result) or _commit(operation.operation.sync)


def _commit(said: _Revisions) -> str:
    """Return the first commit among the revisions: a chart's version or a `HEAD` is none."""
    revisions = (said.revision, *said.revisions)
    return next((one for one in revisions if len(one) in _COMMIT_LENGTHS), "")
