"""The hub's PipelineRuns of one namespace, as the cluster has them."""

from collections.abc import Iterable

import orjson

from hub.clients.kubernetes import AlreadyExists, Created, Kubernetes, Resource
from hub.clients.tekton.marks import MANAGED_BY, US
from hub.clients.tekton.reading import Unfinished, read_unfinished

PIPELINE_RUNS = Resource(group="tekton.dev", version="v1", plural="pipelineruns")


class Runs:
    """Creates, reads and tells PipelineRuns how to go on."""

    def __init__(self, kubernetes: Kubernetes, *, namespace: str) -> None:
        self.namespace = namespace
        self._kubernetes = kubernetes

    async def create(self, manifest: bytes) -> Created | AlreadyExists:
        """Create a run; see `Kubernetes.create`."""
        return await self._kubernetes.create(
            PIPELINE_RUNS, namespace=self.namespace, manifest=manifest
        )

    async def get(self, name: str) -> bytes | None:
        """Return a run as JSON, or None."""
        return await self._kubernetes.get(PIPELINE_RUNS, namespace=self.namespace, name=name)

    async def unfinished(self, labels: Iterable[tuple[str, str]]) -> tuple[Unfinished, ...]:
        """Return the hub's runs with these labels that have not finished, the oldest first."""
        selector = ",".join(f"{name}={value}" for name, value in ((MANAGED_BY, US), *labels))
        bodies = await self._kubernetes.list_all(
            PIPELINE_RUNS, namespace=self.namespace, labels=selector
        )
        found = [run for run in map(read_unfinished, bodies) if run is not None]
        return tuple(sorted(found, key=lambda run: (run.created_at, run.name)))

    async def tell(self, run: Unfinished, status: str | None) -> None:
        """Set `spec.status`, which tells a run to end, or (None) to begin.

        Raises TemporaryError where the run has changed since it was read: then nothing is done to
        it, and whoever decided has to look again.
        """
        change = {"metadata": {"resourceVersion": run.version}, "spec": {"status": status}}
        await self._kubernetes.patch(
            PIPELINE_RUNS,
            namespace=self.namespace,
            name=run.name,
            change=orjson.dumps(change),
        )
