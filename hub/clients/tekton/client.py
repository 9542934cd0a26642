"""Tekton: starts PipelineRuns, cancels those that are superseded, and reads them from the cluster.

Creating is idempotent because the run's name is derived from what it builds: a second attempt, also
one after a lost answer, meets the first run and takes it for its own. Cancelling is, because a run
that has ended or been told to is left alone.
"""

from dataclasses import replace

from hub.actions.action import Call
from hub.actions.tekton import (
    CancelSuperseded,
    PipelineRun,
    ReadPipelineRun,
    ReleasePipelineRuns,
    RunState,
    StartPipelineRun,
)
from hub.clients.kubernetes import Created, Kubernetes, Resource
from hub.clients.names import is_object_name, label_of
from hub.clients.tekton.manifest import lane_of, manifest
from hub.clients.tekton.marks import PULL_REQUEST, SERVICE
from hub.clients.tekton.reading import is_ours, read_failed_task, read_run
from hub.clients.tekton.runs import Runs
from hub.errors import PermanentError, TemporaryError
from hub.settings import KubernetesSettings

_STILL_RUNNING_SECONDS = 5.0
"""Before a run that is said to have finished is looked at again."""

TASK_RUNS = Resource(group="tekton.dev", version="v1", plural="taskruns")
PIPELINE_RUN = "tekton.dev/pipelineRun"
"""Label that Tekton sets on a TaskRun: the run that it is a part of."""

_STOPPED = "CancelledRunFinally"
"""Tasks that run are stopped, and `finally` still tells of the end:
https://tekton.dev/docs/pipelines/pipelineruns/#gracefully-cancelling-a-pipelinerun."""

_CANCELLED = "Cancelled"
"""For one that has not begun: its `finally` would be the first that it runs."""


class Tekton:
    """PipelineRuns in the one or two namespaces that the settings name."""

    def __init__(self, *, settings: KubernetesSettings, kubernetes: Kubernetes) -> None:
        self._settings = settings
        self._kubernetes = kubernetes

    async def start(self, action: StartPipelineRun, call: Call) -> PipelineRun:
        """Create the run, or return the one that was created for the same commit before.

        Raises PermanentError where the cluster refuses it, where the name is taken by a run that
        is not ours, or where it is a fork's and the settings have no place for those.
        """
        wanted = manifest(action, call, self._settings)
        runs = self._runs(fork=action.fork)
        created = await runs.create(wanted.to_json())
        run = (
            read_run(created.body)
            if isinstance(created, Created)
            else await _existing(runs, wanted.metadata.name, action)
        )
        if run.state is not RunState.PENDING:
            return run
        waiting = await self._release(runs, label_of(action.service))
        return run if run.name in waiting else replace(run, state=RunState.RUNNING)

    async def cancel_superseded(self, action: CancelSuperseded, _call: Call) -> tuple[str, ...]:
        """Cancel the pull request's unfinished runs of other commits, and return their names.

        Raises TemporaryError where one changes meanwhile: the next attempt looks at it anew.
        """
        runs = self._runs(fork=action.fork)
        labels = ((SERVICE, label_of(action.service)), (PULL_REQUEST, str(action.pull_request)))
        old = [
            run
            for run in await runs.unfinished(labels)
            if run.repository == action.repository
            and run.revision != action.head
            and not run.ending
        ]
        for run in old:
            await runs.tell(run, _CANCELLED if run.pending else _STOPPED)
        return tuple(run.name for run in old)

    async def release(self, action: ReleasePipelineRuns, _call: Call) -> tuple[str, ...]:
        """Let the oldest pending runs of a service begin, and return the names of the others.

        In another namespace than the hub's there are none. Raises TemporaryError where one changes
        meanwhile: the next attempt counts again.
        """
        fork = self._is_forks(action.namespace)
        if not fork and action.namespace != self._settings.namespace:
            return ()
        return await self._release(self._runs(fork=fork), label_of(action.service))

    async def read(self, action: ReadPipelineRun, _call: Call) -> PipelineRun:
        """Return a run as the cluster has it; GONE where there is none with this name and uid.

        A run in another namespace than the hub's is GONE too: an event cannot point it elsewhere.
        Raises TemporaryError for one that should have finished and still runs.
        """
        gone = PipelineRun(namespace=action.namespace, name=action.run, state=RunState.GONE)
        fork = self._is_forks(action.namespace)
        known = fork or action.namespace == self._settings.namespace
        if not known or not is_object_name(action.run):
            return gone
        body = await self._runs(fork=fork).get(action.run)
        run = read_run(body) if body is not None else gone
        if run.uid != action.uid:
            return gone
        if action.finished and not run.state.finished:
            raise TemporaryError(
                f"the PipelineRun {action.run} is still running", after=_STILL_RUNNING_SECONDS
            )
        if run.state is RunState.FAILED:
            run = replace(run, failed_tasks=await self._failed_tasks(run))
        # Whatever stands there, what a stranger's commit has made is deployed nowhere.
        return replace(run, branch="", results={}, fork=True) if fork else run

    async def _failed_tasks(self, run: PipelineRun) -> tuple[str, ...]:
        """Return which tasks failed. A cluster that does not say is no reason to say nothing."""
        try:
            found = await self._kubernetes.list_all(
                TASK_RUNS, namespace=run.namespace, labels=f"{PIPELINE_RUN}={run.name}"
            )
        except PermanentError:
            return ()
        return tuple(sorted(filter(None, map(read_failed_task, found))))

    async def _release(self, runs: Runs, service: str) -> tuple[str, ...]:
        unfinished = await runs.unfinished([(SERVICE, service)])
        pending = [run for run in unfinished if run.pending]
        running = len(unfinished) - len(pending)
        most = self._settings.runs_per_service or len(unfinished)
        released = pending[: max(0, most - running)]
        for run in released:
            await runs.tell(run, None)
        return tuple(run.name for run in pending[len(released) :])

    def _is_forks(self, namespace: str) -> bool:
        forks = self._settings.forks
        return forks is not None and namespace == forks.namespace

    def _runs(self, *, fork: bool) -> Runs:
        return Runs(self._kubernetes, namespace=lane_of(self._settings, fork=fork).namespace)


async def _existing(runs: Runs, name: str, action: StartPipelineRun) -> PipelineRun:
    body = await runs.get(name)
    if body is None:
        raise TemporaryError(f"the PipelineRun {name} was there and is gone")
    if not is_ours(body, action):
        raise PermanentError(f"the PipelineRun {name} exists and was not started by the hub")
    return read_run(body)
