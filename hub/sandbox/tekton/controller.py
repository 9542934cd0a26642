"""`Tekton`: takes every PipelineRun from its creation to its end, as it was told to."""

from collections.abc import Collection
from dataclasses import dataclass
from datetime import UTC, datetime

from hub.sandbox.background import Background
from hub.sandbox.kubernetes import PIPELINE_RUNS, TASK_RUNS, Cluster, Object
from hub.sandbox.kubernetes.changes import Follower
from hub.sandbox.kubernetes.kinds import labels_of
from hub.sandbox.kubernetes.refusal import Refusal
from hub.sandbox.pace import Pace
from hub.sandbox.tekton.sending import CloudEvents
from hub.sandbox.tekton.states import (
    FAILING_TASK,
    PENDING,
    RUNNING,
    STARTED,
    Condition,
    Outcome,
    ending,
    is_cancelled,
    is_finished,
    is_pending,
    status_of,
    unrunnable,
)

_SERVICE = "trunkline.dev/service"
_PIPELINE = "tekton.dev/pipeline"
_PIPELINE_RUN = "tekton.dev/pipelineRun"
_PIPELINE_TASK = "tekton.dev/pipelineTask"
_MAX_NAME = 63
_EVENT = {"Started": "started", "Running": "running"}


@dataclass(slots=True, kw_only=True)
class _Plan:
    outcome: Outcome
    message: str
    times: int | None


class Tekton:
    """The controller of PipelineRuns."""

    def __init__(
        self, *, cluster: Cluster, pace: Pace, pipelines: Collection[str], registry: str
    ) -> None:
        """Only `pipelines` exist; images are said to be pushed to `registry`."""
        self.events = CloudEvents()
        self.pace = pace
        self._cluster = cluster
        self._pipelines = frozenset(pipelines)
        self._registry = registry
        self._plans: dict[str, _Plan] = {}
        self._created: Follower | None = None
        self._runs = Background()
        self._controller = Background()

    async def start(self) -> None:
        """Take up what is there and whatever is created."""
        await self.events.start()
        self._created = self._cluster.follow(PIPELINE_RUNS)
        self._controller.start(self._control(self._created))

    async def stop(self) -> None:
        """Leave everything as it is; a later start takes it up again."""
        await self._controller.stop()
        if self._created is not None:
            self._created.close()
        await self._runs.stop()
        await self.events.stop()

    async def settled(self) -> None:
        """Wait until every run has ended and every event has been taken or given up."""
        if self._created is not None:
            await self._created.caught_up()
        await self._runs.settled()
        await self.events.settled()

    def outcome(
        self, service: str, outcome: Outcome, *, message: str = "", times: int | None = None
    ) -> None:
        """Let the runs of a service end like this: the next `times` ones, or all from now on."""
        self._plans[service] = _Plan(outcome=outcome, message=message, times=times)

    async def _control(self, created: Follower) -> None:
        async for change in created:
            run = change.object
            if change.after is None or is_finished(run):
                continue
            if is_pending(run):
                self._hold(run)
            elif change.before is None or is_pending(change.before):
                self._runs.start(self._run(run))

    def _hold(self, run: Object) -> None:
        """Say of a pending run that it waits; nobody else is told."""
        if not run.get("status"):
            now = datetime.now(UTC)
            status = status_of(run, PENDING, now, registry=self._registry)
            metadata = run["metadata"]
            self._cluster.patch(
                PIPELINE_RUNS,
                metadata["namespace"],
                metadata["name"],
                {"status": status},
                status=True,
            )

    async def _run(self, created: Object) -> None:
        try:
            await self._take_through(created)
        except Refusal:
            # Somebody has deleted it, and with it everything there was to do.
            return

    async def _take_through(self, created: Object) -> None:
        name = created["metadata"]["name"]
        cancelled = ending(Outcome.CANCELLED, name, "")
        wrong = unrunnable(created, self._pipelines)
        for stage in (STARTED, RUNNING):
            if is_cancelled(self._read(created)):
                self._become(created, cancelled)
                return
            self._become(created, wrong or stage)
            if wrong is not None:
                return
            await self.pace.stage()
        if is_cancelled(self._read(created)):
            self._become(created, cancelled)
            return
        plan = self._plan(labels_of(created).get(_SERVICE, ""))
        if plan.outcome is Outcome.FAILED:
            self._fail_task(created)
        self._become(created, ending(plan.outcome, name, plan.message))

    def _fail_task(self, created: Object) -> None:
        """Leave behind the TaskRun for which the whole run fails."""
        metadata = created["metadata"]
        name = f"{metadata['name']}-{FAILING_TASK}"[:_MAX_NAME]
        labels = {_PIPELINE_RUN: metadata["name"], _PIPELINE_TASK: FAILING_TASK}
        self._cluster.create(
            TASK_RUNS,
            metadata["namespace"],
            {
                "apiVersion": TASK_RUNS.api_version,
                "kind": TASK_RUNS.kind,
                "metadata": {"name": name, "labels": labels},
                "spec": {"taskRef": {"name": FAILING_TASK}},
            },
        )
        failed = {"type": "Succeeded", "status": "False", "reason": "Failed"}
        self._cluster.patch(
            TASK_RUNS,
            metadata["namespace"],
            name,
            {"status": {"conditions": [failed], "podName": f"{name}-pod"}},
            status=True,
        )

    def _become(self, created: Object, condition: Condition) -> None:
        """Write a condition into the cluster, and tell the world."""
        run = self._read(created)
        status = status_of(run, condition, datetime.now(UTC), registry=self._registry)
        namespace, name = run["metadata"]["namespace"], run["metadata"]["name"]
        pipeline = (run["spec"].get("pipelineRef") or {}).get("name", "")
        labels = {"metadata": {"labels": {_PIPELINE: pipeline}}}
        self._cluster.patch(PIPELINE_RUNS, namespace, name, labels)
        told = self._cluster.patch(PIPELINE_RUNS, namespace, name, {"status": status}, status=True)
        finished = condition.status != "Unknown"
        event = "successful" if condition.status == "True" else "failed"
        self.events.emit(event if finished else _EVENT[condition.reason], told, last=finished)

    def _read(self, created: Object) -> Object:
        """Read a run again. Raises Refusal where it is gone, or another one has its name."""
        metadata = created["metadata"]
        run = self._cluster.get(PIPELINE_RUNS, metadata["namespace"], metadata["name"])
        if run["metadata"]["uid"] != metadata["uid"]:
            raise Refusal(404, "NotFound", "another run has its name")
        return run

    def _plan(self, service: str) -> _Plan:
        plan = self._plans.get(service)
        if plan is None:
            return _Plan(outcome=Outcome.SUCCEEDED, message="", times=None)
        if plan.times is not None:
            plan.times -= 1
            if plan.times <= 0:
                del self._plans[service]
        return plan
