"""Applications as objects: how a new one looks, and the parts of a status. Pure.

Fields: https://argo-cd.readthedocs.io/en/stable/operator-manual/application.yaml. Every function
from `compared` on returns a merge patch.
"""

from collections.abc import Sequence
from dataclasses import dataclass

from hub.sandbox.argocd.desired import Overlay
from hub.sandbox.kubernetes import APPLICATIONS, Object

NAMESPACE = "argocd"
_CLUSTER = "https://kubernetes.default.svc"
_SYNCED = "successfully synced (all tasks run)"
_RETRY = {"limit": 1, "backoff": {"duration": "5s", "factor": 2, "maxDuration": "3m"}}
_MAX_HISTORY = 10
"""Argo CD's default `revisionHistoryLimit`."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Source:
    """Where Applications come from."""

    repository: str
    """The repository's address."""
    branch: str


def application(overlay: Overlay, source: Source, *, automated: bool) -> Object:
    """Return a new Application, as the ApplicationSet makes it."""
    policy: Object = {"automated": {"prune": True, "selfHeal": True}} if automated else {}
    return {
        "apiVersion": APPLICATIONS.api_version,
        "kind": APPLICATIONS.kind,
        "metadata": {
            "name": overlay.name,
            "labels": {
                "trunkline.dev/service": overlay.service,
                "trunkline.dev/environment": overlay.environment,
            },
            "finalizers": ["resources-finalizer.argocd.argoproj.io"],
        },
        "spec": {
            "project": "microservices",
            "source": _source(overlay, source),
            "destination": {"server": _CLUSTER, "namespace": overlay.environment},
            "syncPolicy": {**policy, "retry": _RETRY},
        },
        "status": {"health": {"status": "Missing"}, "sync": {"status": "Unknown"}},
    }


def compared(status: str, revision: str, *, at: str, error: str = "") -> Object:
    """Return the outcome of a comparison: Synced, OutOfSync or Unknown with the reason."""
    wrong = {"type": "ComparisonError", "message": error, "lastTransitionTime": at}
    return {
        "status": {
            "sync": {"status": status, "revision": revision},
            "conditions": [wrong] if error else None,
            "reconciledAt": at,
            "sourceType": "Kustomize",
        }
    }


def started(overlay: Overlay, source: Source, revision: str, *, at: str, by: str) -> Object:
    """Return an operation that has begun; `by` is empty where Argo CD began it itself."""
    operation = {
        "sync": {"revision": revision, "prune": True},
        "initiatedBy": {"username": by} if by else {"automated": True},
        "retry": _RETRY,
    }
    return {
        "status": {
            # Nothing of the operation before may stay.
            "operationState": {
                "operation": operation,
                "phase": "Running",
                "message": "waiting for completion of hook or resources",
                "startedAt": at,
                "finishedAt": None,
                "syncResult": {
                    "revision": revision,
                    "source": _source(overlay, source),
                    "resources": [],
                },
            }
        }
    }


def failed(message: str, *, at: str) -> Object:
    """Return an operation that has failed."""
    return _ended("Failed", message, at)


def succeeded(app: Object, images: Sequence[str], revision: str, *, at: str) -> Object:
    """Return an operation that has succeeded; what it deployed is not ready yet."""
    status = app["status"]
    history = status.get("history", [])
    deployment = {
        "revision": revision,
        "deployedAt": at,
        "deployStartedAt": status["operationState"]["startedAt"],
        "id": history[-1]["id"] + 1 if history else 0,
        "source": app["spec"]["source"],
    }
    ended: Object = _ended("Succeeded", _SYNCED, at)["status"]
    return {
        "status": {
            **ended,
            **health("Progressing", at=at)["status"],
            "sync": {"status": "Synced", "revision": revision},
            "summary": {"images": [*images]},
            "history": [*history, deployment][-_MAX_HISTORY:],
        }
    }


def health(status: str, *, at: str, message: str | None = None) -> Object:
    """Return a health that has changed."""
    return {"status": {"health": {"status": status, "message": message, "lastTransitionTime": at}}}


def _ended(phase: str, message: str, at: str) -> Object:
    return {"status": {"operationState": {"phase": phase, "message": message, "finishedAt": at}}}


def _source(overlay: Overlay, source: Source) -> Object:
    return {
        "repoURL": source.repository,
        "path": overlay.path,
        "targetRevision": source.branch,
    }
