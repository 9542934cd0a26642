"""What the suite of the Kubernetes clients shares: a cluster, and the hub's clients of it."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, Protocol

from hub.actions.action import Call
from hub.actions.tekton import PipelineRun, ReadPipelineRun, StartPipelineRun
from hub.clients.argocd import ArgoCD
from hub.clients.crossplane import Crossplane
from hub.clients.http import CALL_SECONDS, Http
from hub.clients.kubernetes import Kubernetes, Resource
from hub.clients.tekton import Tekton
from hub.events.envelope import Envelope
from hub.secrets import SecretPlace
from hub.settings import KubernetesSettings, Secret

RUNS = Resource(group="tekton.dev", version="v1", plural="pipelineruns")
LEASES = Resource(group="coordination.k8s.io", version="v1", plural="leases")
APPLICATIONS = Resource(group="argoproj.io", version="v1alpha1", plural="applications")
COMPOSITES = "platform.company.com"
START = StartPipelineRun(
    pipeline="microservice-ci",
    service="order-service",
    repository="company/order-service",
    clone_url="https://github.com/company/order-service.git",
    ref="refs/heads/main",
    revision="0a1b2c3d4e5f60718293a4b5c6d7e8f901234567",
    push_image=True,
)
CALL = Call(
    event=Envelope(id="e", source="/s", type="com.github.push", partitionkey="k", data=b"{}"),
    handler="start_pipeline_run",
    step=0,
    attempt=1,
)

Object = dict[str, Any]


@dataclass
class Time:
    """A clock that a test moves."""

    now: float = 0.0


@dataclass
class Clients:
    """The hub's clients, with the token that is in a file."""

    kubernetes: Kubernetes
    tekton: Tekton
    argocd: ArgoCD
    crossplane: Crossplane
    token_file: Path
    time: Time
    settings: KubernetesSettings

    def limited(self, most: int) -> Tekton:
        """Return a client that lets so many runs of a service go on."""
        settings = self.settings.model_copy(update={"runs_per_service": most})
        return Tekton(settings=settings, kubernetes=self.kubernetes)


PULLED = replace(START, ref="refs/pull/7/head", pull_request=7, push_image=False)
"""A build of a pull request."""


class Home(Protocol):
    """A cluster in which the hub has few rights, in one namespace."""

    clients: Clients
    namespace: str
    elsewhere: str
    """A namespace that is there, where the hub may do nothing."""

    async def put(self, content: Object) -> Object:
        """Create an object as somebody else, and return it; it may name no namespace."""
        ...

    async def set_status(self, content: Object, status: Object) -> None:
        """Set an object's status as its controller does."""
        ...

    async def warn(self, about: Object, *, reason: str, note: str, at: str) -> None:
        """Tell of trouble with an object in a Kubernetes Event, as controllers do."""
        ...

    async def remove(self, name: str) -> None:
        """Delete a PipelineRun."""
        ...

    async def runs(self) -> list[str]:
        """Return the names of all PipelineRuns in the namespace."""
        ...

    async def spec(self, name: str) -> Object:
        """Return the spec of a PipelineRun in the namespace."""
        ...

    async def limit_runs(self, most: int) -> None:
        """Let a quota allow so many PipelineRuns in the namespace."""
        ...

    async def next_token(self) -> str:
        """Return another token of the hub's account."""
        ...

    async def forget(self) -> None:
        """Forget old versions, so that lists begun before cannot go on."""
        ...


@asynccontextmanager
async def clients_of(
    settings: KubernetesSettings, token_file: Path, *, call_seconds: float = CALL_SECONDS
) -> AsyncIterator[Clients]:
    time = Time()
    token = SecretPlace(Secret(file=token_file), name="kubernetes.token")
    async with Http(monotonic=lambda: time.now, call_seconds=call_seconds) as http:
        kubernetes = Kubernetes(settings=settings, http=http, token=token)
        yield Clients(
            kubernetes=kubernetes,
            tekton=Tekton(settings=settings, kubernetes=kubernetes),
            argocd=ArgoCD(kubernetes),
            crossplane=Crossplane(kubernetes, groups=[COMPOSITES]),
            token_file=token_file,
            time=time,
            settings=settings,
        )


def run_manifest(name: str, **labels: str) -> Object:
    return {
        "apiVersion": "tekton.dev/v1",
        "kind": "PipelineRun",
        "metadata": {"name": name, "labels": labels},
        "spec": {"pipelineRef": {"name": "microservice-ci"}},
    }


def task_run_manifest(run: str, task: str) -> Object:
    return {
        "apiVersion": "tekton.dev/v1",
        "kind": "TaskRun",
        "metadata": {
            "name": f"{run}-{task}",
            "labels": {"tekton.dev/pipelineRun": run, "tekton.dev/pipelineTask": task},
        },
        "spec": {"taskRef": {"name": task}},
    }


def ended(*, succeeded: bool) -> Object:
    """Return the status of a run that has ended."""
    condition = {"type": "Succeeded", "status": "True" if succeeded else "False"}
    return {"conditions": [condition]}


async def finish(home: Home, name: str, status: Object) -> None:
    """Set the status of a PipelineRun as Tekton does."""
    await home.set_status(run_manifest(name), status)


async def end_task(home: Home, run: str, task: str, *, succeeded: bool) -> None:
    """Leave the TaskRun of one of a run's tasks behind, as Tekton does."""
    manifest = task_run_manifest(run, task)
    await home.put(manifest)
    await home.set_status(manifest, ended(succeeded=succeeded) | {"podName": "a-pod"})


def database_manifest(name: str, **labels: str) -> Object:
    return {
        "apiVersion": f"{COMPOSITES}/v1alpha1",
        "kind": "PostgreSQLInstance",
        "metadata": {
            "name": name,
            "labels": {f"trunkline.dev/{label}": value for label, value in labels.items()},
        },
        "spec": {
            "parameters": {"storageGB": 50, "instanceClass": "db.t4g.large"},
            "writeConnectionSecretToRef": {"name": f"{name}-secret"},
        },
    }


def read_of(run: PipelineRun) -> ReadPipelineRun:
    return ReadPipelineRun(namespace=run.namespace, run=run.name, uid=run.uid)
