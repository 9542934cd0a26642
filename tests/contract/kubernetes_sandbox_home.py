"""The sandbox's cluster for the suite of the Kubernetes clients."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from itertools import count
from pathlib import Path

from kubernetes_home import Clients, Object, clients_of

from hub.sandbox.faults import Faults
from hub.sandbox.kubernetes import (
    APPLICATIONS,
    EVENTS,
    KINDS,
    LEASES,
    PIPELINE_RUNS,
    POSTGRESQL_INSTANCES,
    TASK_RUNS,
    Access,
    Cluster,
    Kind,
    KubernetesApi,
    Rule,
)
from hub.sandbox.kubernetes.kinds import unknown_kind
from hub.sandbox.kubernetes.refusal import Refusal
from hub.settings import KubernetesSettings, Secret

TOKEN = "a-token-of-the-hubs-account"
_NAMESPACE = "tekton-pipelines"
_ELSEWHERE = "kube-system"
_NEXT_TOKEN = "the-next-token"
_NOT_INSTALLED = (("tekton.dev", "v1", "pipelinejogs"), ("nobody.example.com", "v1", "things"))
_VERBS = frozenset({"create", "get", "list", "patch", "watch"})


class SandboxHome:
    """A cluster in memory, which can be told to fail."""

    namespace = _NAMESPACE
    elsewhere = _ELSEWHERE

    def __init__(
        self, cluster: Cluster, api: KubernetesApi, faults: Faults, clients: Clients
    ) -> None:
        self.cluster = cluster
        self.api = api
        self.faults = faults
        self.clients = clients
        self._numbers = count(1)

    async def put(self, content: Object) -> Object:
        namespace = content["metadata"].get("namespace", self.namespace)
        return self.cluster.create(_kind(content), namespace, content)

    async def set_status(self, content: Object, status: Object) -> None:
        name = content["metadata"]["name"]
        change = {"status": status}
        self.cluster.patch(_kind(content), self.namespace, name, change, status=True)

    async def warn(self, about: Object, *, reason: str, note: str, at: str) -> None:
        metadata = about["metadata"]
        told = {
            "apiVersion": EVENTS.api_version,
            "kind": EVENTS.kind,
            "metadata": {"name": f"{metadata['name']}.{next(self._numbers)}"},
            "regarding": {field: metadata[field] for field in ("namespace", "name", "uid")},
            "type": "Warning",
            "reason": reason,
            "note": note,
            "deprecatedLastTimestamp": at,
        }
        await self.put(told)

    async def remove(self, name: str) -> None:
        self.cluster.delete(PIPELINE_RUNS, self.namespace, name)

    async def runs(self) -> list[str]:
        return [run["metadata"]["name"] for run in self.cluster.pipeline_runs()]

    async def spec(self, name: str) -> Object:
        spec: Object = self.cluster.get(PIPELINE_RUNS, self.namespace, name)["spec"]
        return spec

    async def limit_runs(self, most: int) -> None:
        used = len(self.cluster.pipeline_runs())
        counted = "count/pipelineruns.tekton.dev"
        refusal = Refusal(
            403,
            "Forbidden",
            'pipelineruns.tekton.dev "a-run" is forbidden: exceeded quota: ci,'
            f" requested: {counted}=1, used: {counted}={used}, limited: {counted}={most}",
        )
        self.cluster.deny_creation(PIPELINE_RUNS, refusal if used >= most else None)

    async def next_token(self) -> str:
        return _NEXT_TOKEN

    async def forget(self) -> None:
        self.cluster.changes.compact()


def _kind(content: Object) -> Kind:
    named = content["apiVersion"], content["kind"]
    (kind,) = (one for one in KINDS if (one.api_version, one.kind) == named)
    return kind


def _account(token: str) -> Access:
    """The rights that the hub is installed with."""
    rules = (
        Rule(kind=PIPELINE_RUNS, verbs=_VERBS, namespace=_NAMESPACE),
        Rule(kind=TASK_RUNS, verbs=frozenset({"list"}), namespace=_NAMESPACE),
        Rule(kind=POSTGRESQL_INSTANCES, verbs=frozenset({"get"}), namespace=_NAMESPACE),
        Rule(kind=EVENTS, verbs=frozenset({"list"}), namespace=_NAMESPACE),
        Rule(kind=LEASES, verbs=frozenset({"create", "get", "update"}), namespace=_NAMESPACE),
        Rule(kind=APPLICATIONS, verbs=frozenset({"get"}), namespace=_NAMESPACE),
        *(Rule(kind=unknown_kind(*kind), verbs=_VERBS) for kind in _NOT_INSTALLED),
    )
    return Access(user="system:serviceaccount:trunkline:hub", token=token, rules=rules)


@asynccontextmanager
async def sandbox_home(folder: Path) -> AsyncIterator[SandboxHome]:
    cluster = Cluster(namespaces=[_NAMESPACE, _ELSEWHERE])
    faults = Faults()
    accounts = (_account(TOKEN), _account(_NEXT_TOKEN))
    api = KubernetesApi(cluster=cluster, faults=faults, accounts=accounts)
    token_file = folder / "token"
    token_file.write_text(TOKEN)
    settings = KubernetesSettings(
        url=await api.start(), token=Secret(file=token_file), namespace=_NAMESPACE
    )
    async with clients_of(settings, token_file) as clients:
        yield SandboxHome(cluster, api, faults, clients)
    await api.stop()
