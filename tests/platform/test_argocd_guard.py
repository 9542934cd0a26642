"""Argo CD may do everything, and yet what it asks Crossplane for is bound; the server sees to it.

Its account has the rights here that it is installed with.
"""

import copy
from collections.abc import Iterator
from typing import Any

import pytest
import yaml
from argocd_files import ROOT, Object
from servers.administrator import Administrator, ObjectRefused
from servers.composites import write_crds
from servers.kubernetes import KubernetesServer, kubernetes

REVISION = {"compositionRevisionRef": {"name": "postgresqlinstances-0123456"}}
GUARDS = (ROOT / "guard.yaml", ROOT / "environments.yaml", ROOT.parent / "crossplane/guard.yaml")
TEAM = ROOT.parent / "crossplane" / "examples" / "team.yaml"
ACCOUNT = {"name": "argocd-application-controller", "namespace": "argocd"}
ENVIRONMENTS = ("dev", "production")
RIGHTS = (
    *(
        {"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": name}}
        for name in ("argocd", *ENVIRONMENTS)
    ),
    {"apiVersion": "v1", "kind": "ServiceAccount", "metadata": ACCOUNT},
    {
        "apiVersion": "rbac.authorization.k8s.io/v1",
        "kind": "ClusterRoleBinding",
        "metadata": {"name": "argocd"},
        "roleRef": {
            "apiGroup": "rbac.authorization.k8s.io",
            "kind": "ClusterRole",
            "name": "cluster-admin",
        },
        "subjects": [{"kind": "ServiceAccount", **ACCOUNT}],
    },
)


@pytest.fixture(scope="module")
def cluster(servers: None, tmp_path_factory: pytest.TempPathFactory) -> Iterator[KubernetesServer]:
    """A server of its own: the guard is for the whole cluster."""
    with kubernetes(platform=False) as server:
        server.install(write_crds(tmp_path_factory.mktemp("crds")))
        server.apply(*RIGHTS)
        for file in GUARDS:
            server.apply(*yaml.safe_load_all(file.read_text()))
        yield server


@pytest.fixture(scope="module")
def argocd(cluster: KubernetesServer) -> Administrator:
    place = f"/api/v1/namespaces/argocd/serviceaccounts/{ACCOUNT['name']}/token"
    wanted: Object = {"apiVersion": "authentication.k8s.io/v1", "kind": "TokenRequest", "spec": {}}
    token = cluster.ask("POST", place, wanted)["status"]["token"]
    return Administrator(port=cluster.port, tls=cluster._tls, token=token)


def database(
    environment: str = "production",
    *,
    of: str | None = "orders-production-requests",
    name: str = "orders",
    **more: Any,
) -> Object:
    """Return a database that an Application asks for, with the mark that Argo CD puts on it."""
    (asked, *_) = yaml.safe_load_all(TEAM.read_text())
    kind = "platform.company.com/PostgreSQLInstance"
    mark = {"argocd.argoproj.io/tracking-id": f"{of}:{kind}:{environment}/{name}"} if of else {}
    annotations = mark | more.pop("annotations", {})
    return {
        "apiVersion": asked["apiVersion"],
        "kind": asked["kind"],
        "metadata": {"namespace": environment, "name": name, "annotations": annotations},
        "spec": {
            **copy.deepcopy(asked["spec"]),
            "writeConnectionSecretToRef": {"name": name},
            **more,
        },
    }


@pytest.mark.parametrize(
    ("wanted", "why"),
    [
        (database(crossplane=REVISION), "spec.crossplane is for Crossplane"),
        (database(annotations={"crossplane.io/paused": "true"}), "crossplane.io/paused"),
        (database(of="orders-dev-requests"), "keeps to its own environment"),
        (database(of="orders-production"), "keeps to its own environment"),
        (database(of="orders-requests"), "keeps to its own environment"),
        (database("dev"), "keeps to its own environment"),
        (database(of=None), "keeps to its own environment"),
    ],
    ids=["revision", "paused", "crossing", "service", "another", "down", "unmarked"],
)
async def test_what_a_team_could_gain_by_argo_cd_is_refused(
    argocd: Administrator, wanted: Object, why: str
) -> None:
    assert why in await argocd.settled_refusal(wanted)


async def test_what_is_asked_for_in_its_own_environment_is_taken(
    cluster: KubernetesServer, argocd: Administrator
) -> None:
    assert await argocd.settled_refusal(database(of=None))
    taken = database(name="taken")
    argocd.apply(taken)
    cluster.patch(taken, {"spec": {"crossplane": REVISION}})
    larger = {"spec": {"parameters": {"storageGB": 100}}}
    assert argocd.patch(taken, larger)["spec"]["crossplane"] == REVISION
    with pytest.raises(ObjectRefused, match=r"spec\.crossplane"):
        argocd.patch(taken, {"spec": {"crossplane": None}})


async def test_it_binds_argo_cd_alone(cluster: KubernetesServer, argocd: Administrator) -> None:
    assert await argocd.settled_refusal(database("dev", of=None))
    cluster.apply(database("dev", of=None, name="steered", crossplane=REVISION))


def settings(namespace: str, mark: str | None) -> Object:
    """Return something of a service, with the mark of an Application where it has one."""
    annotations = {} if mark is None else {"argocd.argoproj.io/tracking-id": mark}
    return {
        "apiVersion": "v1",
        "kind": "ConfigMap",
        "metadata": {"namespace": namespace, "name": "settings", "annotations": annotations},
    }


@pytest.mark.parametrize(
    ("namespace", "of"),
    [
        ("production", "orders-dev"),
        ("production", "orders-production-dev"),
        ("production", "production"),
        ("production", "orders-staging-requests"),
        ("dev", "orders-production"),
        ("dev", ""),
    ],
)
async def test_an_application_of_one_environment_writes_nothing_into_another(
    cluster: KubernetesServer, namespace: str, of: str
) -> None:
    wanted = settings(namespace, f"{of}:/ConfigMap:{namespace}/settings")
    assert "keeps to its own environment" in await cluster.settled_refusal(wanted)


@pytest.mark.parametrize(
    ("namespace", "mark"),
    [
        ("production", "orders-production:/ConfigMap:production/settings"),
        ("dev", "orders-production-dev:/ConfigMap:dev/settings"),
        ("dev", None),
        ("argocd", "trunkline:/ConfigMap:argocd/settings"),
    ],
)
async def test_what_is_of_its_environment_or_of_no_application_is_taken(
    cluster: KubernetesServer, namespace: str, mark: str | None
) -> None:
    assert await cluster.settled_refusal(settings("dev", "orders-production:"))
    cluster.apply(settings(namespace, mark), dry_run=True)
