"""The platform's Tekton files as a cluster gets them, and what Tekton itself says about them."""

import json
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

import yaml
from servers import judge, kustomize

from hub.actions.action import Call
from hub.actions.tekton import StartPipelineRun
from hub.clients.tekton.manifest import manifest
from hub.events.envelope import Envelope
from hub.settings import ForkSettings, KubernetesSettings

ROOT = Path(__file__).parents[2] / "tekton"
TRUSTED = "ci"
UNTRUSTED = "ci-forks"
SHA = "0a1b2c3d4e5f60718293a4b5c6d7e8f901234567"

Object = dict[str, Any]


def ask(command: str, question: Mapping[str, Any]) -> Any:
    """Ask the program that has Tekton's own code in it."""
    return judge.ask("tekton-check", command, question)


def built(folder: str = ".") -> list[Object]:
    """Return what `kubectl apply -k` applies, each time anew, so that a test may spoil it."""
    return kustomize.built(ROOT / folder)


def of_tekton(objects: Iterable[Object]) -> list[Object]:
    return [one for one in objects if ".tekton.dev/" in f".{one['apiVersion']}"]


def findings(objects: Iterable[Object]) -> list[str]:
    """Return what Tekton finds: in each object, and in how they refer to each other."""
    said = ask("validate", {"objects": of_tekton(objects)})["findings"]
    return [f"{one['object']}: {one['message']}" for one in said]


def the(objects: Iterable[Object], kind: str, name: str, namespace: str = TRUSTED) -> Object:
    """Return the one object of this kind and name."""
    (found,) = (
        one
        for one in objects
        if (one["kind"], one["metadata"]["name"]) == (kind, name)
        and one["metadata"].get("namespace") == namespace
    )
    return found


def step(task: str, name: str, namespace: str = TRUSTED) -> Object:
    """Return a step of a Task."""
    spec = the(built(), "Task", task, namespace)["spec"]
    (found,) = (one for one in spec["steps"] if one["name"] == name)
    return dict(found)


def documents(file: str) -> list[Object]:
    return [one for one in yaml.safe_load_all((ROOT / file).read_text()) if one]


def run_of_the_hub(
    *,
    namespace: str = TRUSTED,
    account: str = "pipeline",
    push: bool = True,
    pull_request: int | None = None,
    runs_per_service: int = 0,
) -> Object:
    """Return the PipelineRun that the hub creates, with the namespace that its address has."""
    action = StartPipelineRun(
        pipeline="microservice-ci",
        service="order-service",
        repository="company/order-service",
        clone_url="https://github.com/company/order-service.git",
        ref="refs/heads/main",
        revision=SHA,
        push_image=push,
        pull_request=pull_request,
        fork=namespace == UNTRUSTED,
    )
    event = Envelope(
        id="72d3162e-cc78-11e3-81ab-4c9367dc0958",
        source="https://github.com/company/order-service",
        type="com.github.push",
        partitionkey="company/order-service",
        data=b"{}",
    )
    settings = KubernetesSettings(
        url="https://kubernetes.default.svc",
        namespace=TRUSTED,
        service_account="pipeline" if namespace == UNTRUSTED else account,
        forks=ForkSettings(namespace=UNTRUSTED, service_account=account),
        runs_per_service=runs_per_service,
    )
    call = Call(event=event, handler="start_pipeline_run", step=0, attempt=1)
    run: Object = json.loads(manifest(action, call, settings).to_json())
    run["metadata"]["namespace"] = namespace
    return run
