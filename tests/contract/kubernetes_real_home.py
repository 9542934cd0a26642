"""A real API server for the suite of the Kubernetes clients, with a namespace of its own."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from itertools import count
from pathlib import Path

from kubernetes_home import COMPOSITES, Clients, Object, clients_of, run_manifest
from servers.administrator import ObjectRefused
from servers.kubernetes import KubernetesServer

from hub.clients.http import CALL_SECONDS
from hub.settings import KubernetesSettings, Secret

PATIENCE = 60.0
"""Seconds after which something is stuck, whatever the machine is busy with."""

_RULES = (
    {
        "apiGroups": ["tekton.dev"],
        "resources": ["pipelineruns"],
        "verbs": ["create", "get", "list", "patch", "watch"],
    },
    {"apiGroups": ["tekton.dev"], "resources": ["taskruns"], "verbs": ["list"]},
    {
        "apiGroups": ["coordination.k8s.io"],
        "resources": ["leases"],
        "verbs": ["create", "get", "update"],
    },
    {"apiGroups": [COMPOSITES], "resources": ["postgresqlinstances"], "verbs": ["get"]},
    {"apiGroups": ["events.k8s.io"], "resources": ["events"], "verbs": ["list"]},
    {"apiGroups": ["argoproj.io"], "resources": ["applications"], "verbs": ["get"]},
    {
        "apiGroups": ["tekton.dev", "nobody.example.com"],
        "resources": ["pipelinejogs", "things"],
        "verbs": ["get", "list", "patch"],
    },
)
_COUNTED = "count/pipelineruns.tekton.dev"


class RealHome:
    """What a test has of a server that it may share with others."""

    def __init__(self, server: KubernetesServer, namespace: str, clients: Clients) -> None:
        self.server = server
        self.namespace = namespace
        self.elsewhere = "default"
        self.clients = clients
        self._numbers = count(1)

    async def put(self, content: Object) -> Object:
        return await asyncio.to_thread(self.server.create, self._here(content))

    async def set_status(self, content: Object, status: Object) -> None:
        await asyncio.to_thread(self.server.patch_status, self._here(content), status)

    async def warn(self, about: Object, *, reason: str, note: str, at: str) -> None:
        metadata = about["metadata"]
        told = {
            "apiVersion": "v1",
            "kind": "Event",
            "metadata": {"name": f"{metadata['name']}.{next(self._numbers)}"},
            "involvedObject": {
                **{field: about[field] for field in ("apiVersion", "kind")},
                **{field: metadata[field] for field in ("namespace", "name", "uid")},
            },
            "type": "Warning",
            "reason": reason,
            "message": note,
            "lastTimestamp": at,
        }
        await self.put(told)

    async def remove(self, name: str) -> None:
        await asyncio.to_thread(self.server.delete, self._here(run_manifest(name)))

    async def runs(self) -> list[str]:
        found = await asyncio.to_thread(
            self.server.objects, "tekton.dev/v1", "PipelineRun", namespace=self.namespace
        )
        return [run["metadata"]["name"] for run in found]

    async def spec(self, name: str) -> Object:
        found = await asyncio.to_thread(
            self.server.objects, "tekton.dev/v1", "PipelineRun", namespace=self.namespace
        )
        spec: Object = next(run["spec"] for run in found if run["metadata"]["name"] == name)
        return spec

    async def limit_runs(self, most: int) -> None:
        await asyncio.to_thread(self._set_quota, most, len(await self.runs()))
        refused = len(await self.runs()) >= most
        async with asyncio.timeout(PATIENCE):
            while await asyncio.to_thread(self._is_full) != refused:
                await asyncio.sleep(0.05)

    async def next_token(self) -> str:
        return (await asyncio.to_thread(_account, self.server, self.namespace)).read_text()

    async def forget(self) -> None:
        await asyncio.to_thread(self.server.compact)

    def _set_quota(self, most: int, used: int) -> None:
        """Write a quota with what its controller would have counted."""
        hard = {_COUNTED: str(most)}
        quota = {"apiVersion": "v1", "kind": "ResourceQuota", "metadata": {"name": "ci"}}
        self.server.apply(self._here(quota) | {"spec": {"hard": hard}})
        counted = {"hard": hard, "used": {_COUNTED: str(used)}}
        self.server.patch_status(self._here(quota), counted)

    def _is_full(self) -> bool:
        try:
            self.server.apply(self._here(run_manifest("one-more")), dry_run=True)
        except ObjectRefused as refused:
            return "exceeded quota" in str(refused)
        return False

    def _here(self, content: Object) -> Object:
        return content | {"metadata": {"namespace": self.namespace, **content["metadata"]}}


def _account(server: KubernetesServer, namespace: str) -> Path:
    """The rights that the hub is installed with."""
    return server.account(*_RULES, namespace=namespace)


@asynccontextmanager
async def real_home(
    server: KubernetesServer, *, url: str = "", call_seconds: float = CALL_SECONDS
) -> AsyncIterator[RealHome]:
    """Open a home in the server; `url` is where the clients find it, unless that is its own."""
    namespace = await asyncio.to_thread(server.fresh_namespace)
    token_file = await asyncio.to_thread(_account, server, namespace)
    settings = KubernetesSettings(
        url=url or server.url,
        ca_file=server.ca_file,
        token=Secret(file=token_file),
        namespace=namespace,
    )
    async with clients_of(settings, token_file, call_seconds=call_seconds) as clients:
        yield RealHome(server, namespace, clients)
