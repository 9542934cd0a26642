"""Argo CD's own controllers deploy the example of a gitops repository by our sets and projects.

One API server is both clusters. The test plays what is not there: nodes, and External Secrets.
"""

import asyncio
import copy
import json
import shutil
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
import yaml
from argocd_files import GITOPS, ROOT, WORKLOADS, application_set, built, document
from gitops_files import ENVIRONMENTS, FOLDER, Object
from servers.argocd import NAMESPACE, argocd, installed, workloads
from servers.composites import write_crds
from servers.kubernetes import KubernetesServer, kubernetes
from servers.tekton import Sink, sink

from handlers import announce_request
from hub.dispatch.routing import Wanted, decide
from hub.events.argocd import ApplicationChanged
from hub.events.envelope import Envelope
from hub.events.types import SYNC_FAILED
from hub.sandbox.clock import Clock
from hub.sandbox.repository import Repository
from hub.sources.argocd import see, take
from hub.sources.interface import Sighting

REFRESH = "argocd.argoproj.io/refresh"
ESO = sorted((Path(__file__).parents[1] / "data/deployment-crds/external-secrets").glob("*.yaml"))
SECRET: Object = {"apiVersion": "v1", "kind": "Secret", "metadata": {"name": "handmade"}}
BUCKET: Object = {
    "apiVersion": "platform.company.com/v1alpha1",
    "kind": "S3Bucket",
    "metadata": {"name": "stowaway"},
    "spec": {"expireOldVersionsDays": 30},
}
SMALL, STEERING, CROSSING = (
    {"kind": "PostgreSQLInstance", "metadata": {"name": name}}
    for name in ("small", "steering", "crossing")
)
CROSSED: Object = {"kind": "Deployment", "metadata": {"name": "crossing"}}
ELSEWHERE: Object = {
    "apiVersion": "builtin",
    "kind": "NamespaceTransformer",
    "metadata": {"name": "elsewhere", "namespace": "production"},
    "fieldSpecs": [{"path": "metadata/namespace", "create": True}],
}
TOKEN = "a token for tests, long enough"
PATIENCE = 90.0

pytestmark = pytest.mark.timeout(180)


def kustomization(tree: Path, service: str, part: str, **more: list[str]) -> None:
    file = tree / "services" / service / part / "kustomization.yaml"
    content = yaml.safe_load(file.read_text())
    for key, value in more.items():
        content[key] = [*content.get(key, []), *value]
    file.write_text(yaml.safe_dump(content))


def with_secret(tree: Path, service: str) -> None:
    kustomization(tree, service, "overlays/dev", resources=["more.yaml"])
    write(tree, f"services/{service}/overlays/dev/more.yaml", SECRET)


def with_request(tree: Path, service: str) -> None:
    kustomization(tree, service, "overlays/dev", resources=["more.yaml"])
    write(tree, f"services/{service}/overlays/dev/more.yaml", BUCKET)


def with_bucket(tree: Path, service: str) -> None:
    kustomization(tree, service, "infra/dev", resources=["bucket.yaml"])
    asked = copy.deepcopy(BUCKET)
    asked["metadata"]["name"] = service
    write(tree, f"services/{service}/infra/dev/bucket.yaml", asked)


def too_small(tree: Path, service: str) -> None:
    change(tree, service, lambda spec: spec["parameters"].update(storageGB=5))


def steering(tree: Path, service: str) -> None:
    change(
        tree, service, lambda spec: spec.update(crossplane={"compositionUpdatePolicy": "Manual"})
    )


def crossing(tree: Path, service: str) -> None:
    """Have kustomize change the namespace again, after Argo CD has set it."""
    for part in ("infra/dev", "overlays/dev"):
        kustomization(tree, service, part, transformers=["elsewhere.yaml"])
        write(tree, f"services/{service}/{part}/elsewhere.yaml", ELSEWHERE)


def change(tree: Path, service: str, how: Callable[[Object], None]) -> None:
    path = f"services/{service}/infra/base/database.yaml"
    asked = yaml.safe_load((tree / path).read_text())
    how(asked["spec"])
    write(tree, path, asked)


def write(tree: Path, path: str, content: Object) -> None:
    (tree / path).write_text(yaml.safe_dump(content))


SERVICES: dict[str, Callable[[Path, str], None] | None] = {
    "orders": None,
    "secret": with_secret,
    "asking": with_request,
    "gone": with_bucket,
    "small": too_small,
    "steering": steering,
    "crossing": crossing,
}
"""Copies of the example, each with its own mistake."""


def write_services(tree: Path) -> None:
    for service, mistake in SERVICES.items():
        place = tree / "services" / service
        shutil.copytree(FOLDER / "services" / "orders", place)
        for file in place.rglob("*.yaml"):
            file.write_text(file.read_text().replace("orders", service))
        if mistake is not None:
            mistake(tree, service)


@pytest.fixture(scope="module")
def repository(tmp_path_factory: pytest.TempPathFactory) -> Repository:
    folder = tmp_path_factory.mktemp("gitops")
    write_services(folder / "tree")
    made = Repository(name="company/gitops", folder=folder / "gitops.git", clock=Clock())
    made.create()
    files = {
        str(file.relative_to(folder / "tree")): file.read_text()
        for file in (folder / "tree").rglob("*.yaml")
    }
    asyncio.run(made.commit("main", "Begin", files))
    return made


@pytest.fixture(scope="module")
def listener() -> Iterator[Sink]:
    with sink() as one:
        yield one


def configured(server: KubernetesServer, repository: Repository, listener: Sink) -> list[Object]:
    """Return our files with the addresses that whoever installs them puts in."""
    guard = yaml.safe_load_all((ROOT.parent / "crossplane" / "guard.yaml").read_text())
    objects = [*built(), *guard]
    for name in ("services", "requests"):
        # A failure is one at once, and not after five attempts.
        policy = application_set(objects, name)["spec"]["template"]["spec"]["syncPolicy"]
        policy["retry"] = {"limit": 0}
    names = (
        "settings/argocd-cm",
        "settings/argocd-rbac-cm",
        "notifications/argocd-notifications-cm",
    )
    text = json.dumps([*(document(f"{name}.yaml") for name in names), *objects])
    for ours, theirs in (
        (GITOPS, f"file://{repository.folder}"),
        (WORKLOADS, server.url),
        ("https://trunkline.example.com", listener.url),
    ):
        assert ours in text
        text = text.replace(ours, theirs)
    changed: list[Object] = json.loads(text)
    return changed


@pytest.fixture(scope="module")
def cluster(
    servers: None,
    repository: Repository,
    listener: Sink,
    tmp_path_factory: pytest.TempPathFactory,
) -> Iterator[KubernetesServer]:
    folder = tmp_path_factory.mktemp("argocd")
    with kubernetes() as server:
        server.install(*ESO, write_crds(folder))
        server.apply(*installed({"trunkline-token": TOKEN}))
        for name in ENVIRONMENTS:
            server.apply({"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": name}})
        server.apply(workloads(server), *configured(server, repository, listener))
        with argocd(server, folder):
            yield server


def application(cluster: KubernetesServer, name: str) -> Object:
    named = {"apiVersion": "argoproj.io/v1alpha1", "kind": "Application"}
    return cluster.get(named | {"metadata": {"name": name, "namespace": NAMESPACE}}) or {}


def synced(cluster: KubernetesServer, name: str) -> str:
    return str(application(cluster, name).get("status", {}).get("sync", {}).get("status"))


async def until(holds: Callable[[], object]) -> None:
    async with asyncio.timeout(PATIENCE):
        while not await asyncio.to_thread(holds):
            await asyncio.sleep(0.2)


def operation(cluster: KubernetesServer, name: str) -> Object:
    state: Object = application(cluster, name).get("status", {}).get("operationState", {})
    return state


async def ended(
    cluster: KubernetesServer, name: str, such: Callable[[Object], bool] = lambda _state: True
) -> Object:
    """Return an Application's operation at its end, which says why in full."""
    seen: list[Object] = []

    def is_there() -> bool:
        state = operation(cluster, name)
        seen.append(state)
        return state.get("phase") in {"Succeeded", "Failed", "Error"} and such(state)

    await until(is_there)
    return seen[-1]


def said(operation: Object) -> str:
    resources = operation.get("syncResult", {}).get("resources") or []
    return " ".join([operation["message"], *(one.get("message", "") for one in resources)])


def found(cluster: KubernetesServer, namespace: str, kind: str, name: str) -> Object | None:
    versions = {
        "Deployment": "apps/v1",
        "Job": "batch/v1",
        "ExternalSecret": "external-secrets.io/v1",
        "Secret": "v1",
    }
    version = versions.get(kind, "platform.company.com/v1alpha1")
    metadata = {"name": name, "namespace": namespace}
    return cluster.get({"apiVersion": version, "kind": kind, "metadata": metadata})


async def there(cluster: KubernetesServer, namespace: str, kind: str, name: str) -> Object:
    """Return an object once it is there."""
    await until(lambda: found(cluster, namespace, kind, name))
    one = found(cluster, namespace, kind, name)
    assert one is not None
    return one


async def compared_anew(cluster: KubernetesServer, name: str) -> None:
    """Have an Application compared with git once more, and wait until it is."""
    one = application(cluster, name)
    cluster.patch(one, {"metadata": {"annotations": {REFRESH: "hard"}}})
    await until(lambda: REFRESH not in application(cluster, name)["metadata"]["annotations"])


async def deploy(cluster: KubernetesServer, namespace: str) -> Object:
    """Make orders available in an environment; return the smoke test that begins then."""
    secret = await there(cluster, namespace, "ExternalSecret", "orders-database")
    server = await there(cluster, namespace, "Deployment", "orders")
    assert found(cluster, namespace, "Job", "orders-smoke-test") is None
    ready = {"type": "Ready", "status": "True", "reason": "SecretSynced"}
    cluster.patch_status(secret, {"conditions": [ready]})
    counts = ("replicas", "updatedReplicas", "readyReplicas", "availableReplicas")
    available = dict.fromkeys(counts, server["spec"]["replicas"])
    observed = {"observedGeneration": server["metadata"]["generation"]}
    cluster.patch_status(server, available | observed)
    return await there(cluster, namespace, "Job", "orders-smoke-test")


def end(cluster: KubernetesServer, job: Object, conditions: list[str], **counts: object) -> None:
    """End a Job as its controller does."""
    said = [
        {"type": one, "status": "True", "message": "no answer from orders"} for one in conditions
    ]
    begun = {"startTime": "2026-11-28T10:00:00Z", "conditions": said}
    cluster.patch_status(job, begun | counts)


async def test_dev_and_staging_follow_git_and_production_waits(cluster: KubernetesServer) -> None:
    await until(lambda: found(cluster, "dev", "PostgreSQLInstance", "orders"))
    await until(lambda: found(cluster, "staging", "Deployment", "orders"))
    for name in ("orders-production", "orders-production-requests"):
        await until(
            lambda name=name: (
                application(cluster, name).get("status", {}).get("sync", {}).get("status")
                == "OutOfSync"
            )
        )
        assert operation(cluster, name) == {}
    assert found(cluster, "production", "Deployment", "orders") is None
    assert found(cluster, "production", "PostgreSQLInstance", "orders") is None


async def test_a_smoke_test_that_succeeds_ends_the_sync_well(cluster: KubernetesServer) -> None:
    job = await deploy(cluster, "dev")
    assert operation(cluster, "orders-dev")["phase"] == "Running"
    done = {"completionTime": "2026-11-28T10:00:05Z", "succeeded": 1}
    end(cluster, job, ["SuccessCriteriaMet", "Complete"], **done)
    assert (await ended(cluster, "orders-dev"))["phase"] == "Succeeded"
    # What the API server has filled in, such as in an ExternalSecret, is no difference.
    await compared_anew(cluster, "orders-dev")
    assert synced(cluster, "orders-dev") == "Synced"


async def test_a_smoke_test_that_fails_fails_the_sync(cluster: KubernetesServer) -> None:
    job = await deploy(cluster, "staging")
    end(cluster, job, ["FailureTarget", "Failed"], failed=1)
    failed = await ended(cluster, "orders-staging")
    assert failed["phase"] == "Failed"
    assert "no answer from orders" in said(failed)


@pytest.mark.parametrize(
    ("name", "refused", "why"),
    [
        ("secret-dev", SECRET, "Secret is not permitted in project microservices"),
        ("asking-dev", BUCKET, "S3Bucket is not permitted in project microservices"),
        ("small-dev-requests", SMALL, "spec.parameters.storageGB"),
        ("steering-dev-requests", STEERING, "spec.crossplane is for Crossplane to write"),
        ("crossing-dev-requests", CROSSING, "an Application keeps to its own environment"),
        ("crossing-dev", CROSSED, "an Application keeps to its own environment"),
    ],
    ids=["secret", "request", "bounds", "steering", "crossing", "crossed"],
)
async def test_what_is_not_permitted_fails_and_says_so(
    cluster: KubernetesServer, name: str, refused: Object, why: str
) -> None:
    failed = await ended(cluster, name)
    assert failed["phase"] == "Failed"
    assert why in said(failed)
    for namespace in ("dev", "production"):
        assert found(cluster, namespace, refused["kind"], refused["metadata"]["name"]) is None


async def test_what_is_gone_from_git_is_not_deleted_though_somebody_prunes(
    cluster: KubernetesServer, repository: Repository
) -> None:
    name = "gone-dev-requests"
    assert (await ended(cluster, name))["phase"] == "Succeeded"
    path = "services/gone/infra/dev/kustomization.yaml"
    content = yaml.safe_load(await repository.read_file("main", path))
    content["resources"].remove("bucket.yaml")
    commit = await repository.commit("main", "Ask for no bucket", {path: yaml.safe_dump(content)})

    asked = {
        "revision": commit.sha,
        "prune": True,
        "syncOptions": application(cluster, name)["spec"]["syncPolicy"]["syncOptions"],
    }
    cluster.patch(application(cluster, name), {"operation": {"sync": asked}})
    pruned = await ended(
        cluster, name, lambda state: state["operation"]["sync"].get("prune") is True
    )
    assert pruned["syncResult"]["revision"] == commit.sha
    skipped = [
        one["name"] for one in pruned["syncResult"]["resources"] if one["status"] == "PruneSkipped"
    ]
    assert skipped == ["gone"]
    assert found(cluster, "dev", "S3Bucket", "gone") is not None


def heard(listener: Sink, name: str, kind: str) -> list[Envelope]:
    events = [
        one
        for sent in listener.sent
        for one in take(sent.headers, sent.body, hubkey="argocd/a")
        if isinstance(one, Envelope)
    ]
    return [one for one in events if (one.subject, one.type) == (name, kind)]


async def test_the_hub_hears_of_a_request_that_was_not_taken(
    cluster: KubernetesServer, listener: Sink
) -> None:
    name = "small-dev-requests"
    await ended(cluster, name)
    await until(lambda: heard(listener, name, SYNC_FAILED))
    event, *_later = heard(listener, name, SYNC_FAILED)
    assert ApplicationChanged.read(event).requests_of == "small"
    ((_, decision),) = decide([announce_request], event)
    assert isinstance(decision, Wanted)
    assert {sent.headers["authorization"] for sent in listener.sent} == {f"Bearer {TOKEN}"}


def watched(cluster: KubernetesServer, name: str) -> set[str]:
    """Return the ids of the events that the hub makes of the Application as it is now."""
    sighting = Sighting(
        cluster="platform",
        group="argoproj.io",
        version="v1alpha1",
        plural="applications",
        kind="Application",
        body=json.dumps(application(cluster, name)).encode(),
    )
    return {one.id for one in see(sighting).events if one.type == SYNC_FAILED}


async def test_what_the_hub_sees_by_watching_is_what_it_was_told(
    cluster: KubernetesServer, listener: Sink
) -> None:
    name = "steering-dev-requests"
    await ended(cluster, name)
    await until(
        lambda: watched(cluster, name) & {one.id for one in heard(listener, name, SYNC_FAILED)}
    )
