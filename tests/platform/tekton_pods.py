"""The pods of a run end as a test has them end: there are no nodes, so nothing runs in them.

What is written here a kubelet writes; a step's results are the last words of its container.
"""

import asyncio
import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from servers.administrator import Administrator

Object = dict[str, Any]

PATIENCE = 60.0
"""Seconds after which something is stuck, whatever the machine is busy with."""

_TASK = "tekton.dev/pipelineTask"
_RUN = "tekton.dev/pipelineRun"
_BEGAN = "2026-01-31T09:30:00Z"
_ENDED = "2026-01-31T09:33:00Z"
_RESULT = 1
"""Tekton's number for the result of a task, among all that containers say."""


@dataclass(frozen=True, slots=True, kw_only=True)
class End:
    """How a task's pod ends."""

    exit_code: int = 0
    results: Mapping[str, str] = field(default_factory=dict)


async def end_pods(cluster: Administrator, run: Object, ends: Mapping[str, End]) -> list[str]:
    """End every pod of a run until the run has ended; return its tasks in the order of their pods.

    A task that `ends` does not name ends well.
    """
    ended: list[str] = []
    async with asyncio.timeout(PATIENCE):
        while not await asyncio.to_thread(_is_over, cluster, run):
            for pod in await asyncio.to_thread(_pods, cluster, run):
                task = pod["metadata"]["labels"][_TASK]
                if task not in ended:
                    await asyncio.to_thread(_end, cluster, pod, ends.get(task, End()))
                    ended.append(task)
            await asyncio.sleep(0.05)
    return ended


def _is_over(cluster: Administrator, run: Object) -> bool:
    conditions = ((cluster.get(run) or {}).get("status") or {}).get("conditions", [])
    return any(one["type"] == "Succeeded" and one["status"] != "Unknown" for one in conditions)


def _pods(cluster: Administrator, run: Object) -> list[Object]:
    metadata = run["metadata"]
    found = cluster.objects("v1", "Pod", namespace=metadata["namespace"])
    return [one for one in found if one["metadata"]["labels"].get(_RUN) == metadata["name"]]


def _end(cluster: Administrator, pod: Object, end: End) -> None:
    words = [{"key": key, "value": value, "type": _RESULT} for key, value in end.results.items()]
    ended = {
        "exitCode": end.exit_code,
        "reason": "Error" if end.exit_code else "Completed",
        "startedAt": _BEGAN,
        "finishedAt": _ENDED,
        "message": json.dumps(words),
    }
    containers = [
        {
            "name": container["name"],
            "image": container["image"],
            "imageID": container["image"],
            "ready": False,
            "restartCount": 0,
            "state": {"terminated": ended},
        }
        for container in pod["spec"]["containers"]
    ]
    phase = "Failed" if end.exit_code else "Succeeded"
    cluster.patch_status(pod, {"phase": phase, "containerStatuses": containers})
