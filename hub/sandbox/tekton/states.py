"""The states of a PipelineRun, as Tekton writes them into its status. Pure.

Words and fields: https://tekton.dev/docs/pipelines/pipelineruns/#monitoring-execution-status.
"""

import hashlib
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from typing import Any

from hub.sandbox.clock import rfc3339
from hub.sandbox.kubernetes import Object

TASKS = ("clone", "test", "build", "push")
"""What the simulated pipeline consists of."""
FAILING_TASK = TASKS[1]
"""The one that fails where a run does."""
REQUIRED_PARAMS = ("git-url", "git-revision", "image-tag")
"""Those without a default, on which the results depend."""
_PENDING = "PipelineRunPending"
_CANCELLING = {"Cancelled", "CancelledRunFinally", "StoppedRunFinally"}


class Outcome(StrEnum):
    """How a run ends."""

    SUCCEEDED = "succeeded"
    FAILED = "failed"
    CANCELLED = "cancelled"
    TIMED_OUT = "timed out"


@dataclass(frozen=True, slots=True, kw_only=True)
class Condition:
    """The condition `Succeeded`: the one word for the state of a run."""

    status: str
    reason: str
    message: str


STARTED = Condition(
    status="Unknown",
    reason="Started",
    message="Not all Tasks in the Pipeline have finished executing",
)
PENDING = Condition(
    status="Unknown",
    reason="PipelineRunPending",
    message="PipelineRun is pending",
)
RUNNING = Condition(
    status="Unknown",
    reason="Running",
    message=f"Tasks Completed: 0 (Failed: 0, Cancelled 0), Incomplete: {len(TASKS)}, Skipped: 0",
)


def ending(outcome: Outcome, name: str, message: str) -> Condition:
    """Return the last condition of a run; `message` replaces Tekton's own words if there is one."""
    done = len(TASKS)
    status, reason, words = {
        Outcome.SUCCEEDED: (
            "True",
            "Succeeded",
            f"Tasks Completed: {done} (Failed: 0, Cancelled 0), Skipped: 0",
        ),
        Outcome.FAILED: (
            "False",
            "Failed",
            f"Tasks Completed: 2 (Failed: 1, Cancelled 0), Skipped: {done - 2}",
        ),
        Outcome.CANCELLED: ("False", "Cancelled", f'PipelineRun "{name}" was cancelled'),
        Outcome.TIMED_OUT: (
            "False",
            "PipelineRunTimeout",
            f'PipelineRun "{name}" failed to finish within "1h0m0s"',
        ),
    }[outcome]
    return Condition(status=status, reason=reason, message=message or words)


def unrunnable(run: Object, pipelines: frozenset[str]) -> Condition | None:
    """Return why a run cannot even begin, if so."""
    metadata, spec = run["metadata"], run["spec"]
    full_name = f"{metadata['namespace']}/{metadata['name']}"
    pipeline = (spec.get("pipelineRef") or {}).get("name", "")
    if pipeline not in pipelines:
        message = (
            f"Error retrieving pipeline for pipelinerun {full_name}: "
            f'pipelines.tekton.dev "{pipeline}" not found'
        )
        return Condition(status="False", reason="CouldntGetPipeline", message=message)
    missing = [name for name in REQUIRED_PARAMS if name not in params_of(run)]
    if missing:
        message = (
            f"PipelineRun {full_name} parameters is missing some parameters required by Pipeline "
            f"{pipeline}'s parameters: {', '.join(missing)}"
        )
        return Condition(status="False", reason="ParameterMissing", message=message)
    return None


def status_of(run: Object, condition: Condition, now: datetime, *, registry: str) -> Object:
    """Return the whole status that a run has in this condition."""
    at = rfc3339(now)
    status: Object = {
        "conditions": [
            {
                "type": "Succeeded",
                "status": condition.status,
                "reason": condition.reason,
                "message": condition.message,
                "lastTransitionTime": at,
            }
        ],
    }
    if condition != PENDING:
        status["startTime"] = (run.get("status") or {}).get("startTime", at)
    if condition not in {PENDING, STARTED}:
        status["childReferences"] = _children(run)
    if condition.status != "Unknown":
        status["completionTime"] = at
    if condition.status == "True" and params_of(run).get("push-image", "true") == "true":
        status["results"] = _results(run, registry)
    return status


def is_finished(run: Object) -> bool:
    """Whether nothing more will happen to a run."""
    return "completionTime" in (run.get("status") or {})


def is_pending(run: Object) -> bool:
    """Whether a run may not begin yet."""
    return run["spec"].get("status") == _PENDING and not is_finished(run)


def is_cancelled(run: Object) -> bool:
    """Whether somebody wants it to end."""
    return run["spec"].get("status") in _CANCELLING


def params_of(run: Object) -> dict[str, Any]:
    """Return a run's parameters by name."""
    return {one["name"]: one.get("value") for one in run["spec"].get("params") or ()}


def digest_of(image: str, revision: str) -> str:
    """Return the digest that building this revision gives: the same one every time."""
    return f"sha256:{hashlib.sha256(f'{image}@{revision}'.encode()).hexdigest()}"


def to_v1beta1(run: Object) -> Object:
    """Convert a run to the version in which Tekton sends it; apiVersion and kind get lost."""
    spec, status = dict(run["spec"]), dict(run.get("status") or {})
    template = spec.pop("taskRunTemplate", None) or {}
    spec |= template
    if "results" in status:
        status["pipelineResults"] = status.pop("results")
    return {"metadata": run["metadata"], "spec": spec, "status": status}


def _children(run: Object) -> list[Object]:
    name = run["metadata"]["name"]
    return [
        {
            "apiVersion": "tekton.dev/v1",
            "kind": "TaskRun",
            "name": f"{name}-{task}",
            "pipelineTaskName": task,
        }
        for task in TASKS
    ]


def _results(run: Object, registry: str) -> list[Object]:
    params = params_of(run)
    path = params["git-url"].partition("://")[2].partition("/")[2].removesuffix(".git")
    image = f"{registry}/{path.lower()}"
    results = {
        "IMAGE_URL": image,
        "IMAGE_TAG": params["image-tag"],
        "IMAGE_DIGEST": digest_of(image, params["git-revision"]),
    }
    return [{"name": name, "value": value} for name, value in results.items()]
