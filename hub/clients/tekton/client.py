"""Tekton: starts a PipelineRun, and reads one back from the cluster.

Creating is idempotent because the run's name is derived from what it builds: a second attempt, also
one after a lost answer, meets the first run and takes it for its own. Runs are never changed.
"""

from hub.actions.action import Call
from hub.actions.tekton import PipelineRun, ReadPipelineRun, RunState, StartPipelineRun
from hub.clients.kubernetes import AlreadyExists, Created, Kubernetes, Resource
from hub.clients.names import is_object_name
from hub.clients.tekton.manifest import manifest
from hub.clients.tekton.reading import is_ours, read_run
from hub.errors import PermanentError, TemporaryError
from hub.settings import KubernetesSettings

PIPELINE_RUNS = Resource(group="tekton.dev", version="v1", plural="pipelineruns")

_STILL_RUNNING_SECONDS = 5.0
"""Before a run that is said to have finished is looked at again."""


class Tekton:
    """PipelineRuns in the one namespace that the settings name."""

    def __init__(self, *, settings: KubernetesSettings, kubernetes: Kubernetes) -> None:
        self._settings = settings
        self._kubernetes = kubernetes

    async def start(self, action: StartPipelineRun, call: Call) -> PipelineRun:
        """Create the run, or return the one that was created for the same commit before.

        Raises PermanentError where the cluster refuses it, or where the name is taken by a run that
        is not ours.
        """
        wanted = manifest(action, call, self._settings)
        outcome = await self._kubernetes.create(
            PIPELINE_RUNS, namespace=self._settings.namespace, manifest=wanted.to_json()
        )
        match outcome:
            case Created(body=body):
                return read_run(body)
            case AlreadyExists():
                return await self._existing(wanted.metadata.name, action)

    async def read(self, action: ReadPipelineRun, _call: Call) -> PipelineRun:
        """Return a run as the cluster has it; GONE where there is none with this name and uid.

        A run in another namespace than the hub's is GONE too: an event cannot point it elsewhere.
        Raises TemporaryError for one that should have finished and still runs.
        """
        gone = PipelineRun(namespace=action.namespace, name=action.run, state=RunState.GONE)
        if action.namespace != self._settings.namespace or not is_object_name(action.run):
            return gone
        body = await self._get(action.run)
        run = read_run(body) if body is not None else gone
        if run.uid != action.uid:
            return gone
        if action.finished and not run.state.finished:
            raise TemporaryError(
                f"the PipelineRun {action.run} is still running", after=_STILL_RUNNING_SECONDS
            )
        return run

    async def _existing(self, name: str, action: StartPipelineRun) -> PipelineRun:
        body = await self._get(name)
        if body is None:
            raise TemporaryError(f"the PipelineRun {name} was there and is gone")
        run = read_run(body)
        if not is_ours(body, action):
            raise PermanentError(f"the PipelineRun {name} exists and was not started by the hub")
        return run

    async def _get(self, name: str) -> bytes | None:
        return await self._kubernetes.get(
            PIPELINE_RUNS, namespace=self._settings.namespace, name=name
        )
