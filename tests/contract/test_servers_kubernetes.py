"""The API server that other tests rely on is what it claims to be."""

import asyncio
import json
import ssl
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import aiohttp
import pytest
from servers.administrator import ObjectRefused
from servers.kubernetes import PLATFORM, kubernetes

PATIENCE_SECONDS = 60
"""Then something is stuck, whatever the machine is busy with."""

PLURALS = {
    "applications.argoproj.io",
    "applicationsets.argoproj.io",
    "appprojects.argoproj.io",
    "compositeresourcedefinitions.apiextensions.crossplane.io",
    "compositions.apiextensions.crossplane.io",
    "eventlisteners.triggers.tekton.dev",
    "functions.pkg.crossplane.io",
    "pipelineruns.tekton.dev",
    "pipelines.tekton.dev",
    "taskruns.tekton.dev",
    "tasks.tekton.dev",
}
READING = {"apiGroups": [""], "resources": ["configmaps"], "verbs": ["get", "list", "watch"]}


@pytest.fixture
def cluster(servers):
    """Return an API server that the test may kill, which keeps nothing in memory."""
    options = {"watch-cache": "false", "min-request-timeout": "1"}
    with kubernetes(options=options, platform=False) as server:
        yield server


def config_map(name, namespace="default", **data):
    metadata = {"name": name, "namespace": namespace}
    return {"apiVersion": "v1", "kind": "ConfigMap", "metadata": metadata, "data": data}


def pipeline_run(name, namespace, **spec):
    metadata = {"name": name, "namespace": namespace}
    return {"apiVersion": "tekton.dev/v1", "kind": "PipelineRun", "metadata": metadata} | {
        "spec": {"pipelineRef": {"name": "ci"}} | spec
    }


@asynccontextmanager
async def asked(server, path, *, token=None) -> AsyncIterator[aiohttp.ClientResponse]:
    """Ask the server as another client than those of the hub and of the tests does."""
    headers = {"Authorization": f"Bearer {token}"} if token else {}
    trusting = ssl.create_default_context(cafile=server.ca_file)
    patience = aiohttp.ClientTimeout(total=PATIENCE_SECONDS)
    async with (
        aiohttp.ClientSession(headers=headers, timeout=patience) as session,
        session.get(server.url + path, ssl=trusting) as answer,
    ):
        yield answer


def status_of(refused):
    return refused.value.status


async def test_what_an_api_server_took_is_there_when_both_were_killed(cluster):
    cluster.apply(config_map("kept", word="taken"))
    cluster.kill()
    cluster.etcd.kill()
    with pytest.raises(ConnectionRefusedError):
        await asyncio.open_connection("127.0.0.1", cluster.port)
    cluster.start()
    assert cluster.get(config_map("kept"))["data"] == {"word": "taken"}


async def test_a_frozen_api_server_answers_when_it_goes_on(cluster):
    cluster.pause()
    late = asyncio.create_task(asyncio.to_thread(cluster.get, config_map("nothing")))
    done, _ = await asyncio.wait([late], timeout=0.2)
    cluster.resume()
    assert await asyncio.wait_for(late, PATIENCE_SECONDS) is None
    assert not done


async def test_a_frozen_etcd_holds_the_api_server_up(cluster):
    cluster.etcd.pause()
    late = asyncio.create_task(asyncio.to_thread(cluster.apply, config_map("late")))
    done, _ = await asyncio.wait([late], timeout=0.2)
    cluster.etcd.resume()
    await asyncio.wait_for(late, PATIENCE_SECONDS)
    assert not done
    assert cluster.get(config_map("late"))


async def test_a_watch_from_a_version_that_was_compacted_is_gone(cluster):
    (old,) = cluster.apply(config_map("one", word="first"))
    cluster.apply(config_map("one", word="second"))
    version = old["metadata"]["resourceVersion"]
    path = f"/api/v1/namespaces/default/configmaps?watch=1&resourceVersion={version}"
    token = cluster.admin_token_file.read_text()
    async with asked(cluster, path, token=token) as answer:
        told = json.loads(await answer.content.readline())
    assert (told["type"], told["object"]["data"]) == ("MODIFIED", {"word": "second"})

    cluster.compact()

    async with asked(cluster, path, token=token) as answer:
        told = json.loads(await answer.content.readline())
    assert (told["type"], told["object"]["code"]) == ("ERROR", 410)


async def test_a_watch_ends_when_the_server_has_had_enough(cluster):
    path = "/api/v1/namespaces/default/configmaps?watch=1&resourceVersion="
    (made,) = cluster.apply(config_map("one"))
    version = made["metadata"]["resourceVersion"]
    token = cluster.admin_token_file.read_text()
    async with asked(cluster, path + version, token=token) as answer:
        assert answer.status == 200
        assert await answer.read() == b""


async def test_the_kinds_of_the_platform_are_installed(kubernetes_server):
    crds = kubernetes_server.objects("apiextensions.k8s.io/v1", "CustomResourceDefinition")
    assert {crd["metadata"]["name"] for crd in crds} >= PLURALS
    assert len(PLATFORM) == len({path.name for path in PLATFORM}) > 30


async def test_an_unknown_field_is_refused_in_the_servers_own_words(kubernetes_server):
    namespace = kubernetes_server.fresh_namespace()
    wrong = pipeline_run("wrong", namespace, pipelineReff={"name": "ci"})
    with pytest.raises(ObjectRefused, match=r"\.spec\.pipelineReff: field not declared in schema"):
        kubernetes_server.apply(wrong)
    with pytest.raises(ObjectRefused, match=r'unknown field "spec\.pipelineReff"'):
        kubernetes_server.create(wrong)
    assert kubernetes_server.get(wrong) is None


async def test_a_kind_that_is_not_installed_is_refused(kubernetes_server):
    nobody = {"apiVersion": "nobody.example.com/v1", "kind": "Thing", "metadata": {"name": "x"}}
    with pytest.raises(ObjectRefused):
        kubernetes_server.apply(nobody)
    with pytest.raises(ObjectRefused, match="no kind Thing in v1"):
        kubernetes_server.apply(nobody | {"apiVersion": "v1"})


async def test_a_dry_run_is_checked_and_keeps_nothing(kubernetes_server):
    namespace = kubernetes_server.fresh_namespace()
    run = pipeline_run("tried", namespace)
    (tried,) = kubernetes_server.apply(run, dry_run=True)
    assert tried["spec"] == run["spec"]
    assert kubernetes_server.get(run) is None
    with pytest.raises(ObjectRefused):
        kubernetes_server.apply(pipeline_run("tried", namespace, params="none"), dry_run=True)


async def test_a_status_is_written_where_the_kind_has_it(kubernetes_server):
    namespace = kubernetes_server.fresh_namespace()
    run = pipeline_run("run", namespace)
    application = {
        "apiVersion": "argoproj.io/v1alpha1",
        "kind": "Application",
        "metadata": {"name": "orders", "namespace": namespace},
        "spec": {"project": "default", "destination": {"name": "in-cluster"}},
    }
    kubernetes_server.apply(run, application)
    health = {"health": {"status": "Healthy"}}
    assert kubernetes_server.patch_status(application, health)["status"] == health
    began = {"startTime": "2026-01-31T09:30:00Z"}
    assert kubernetes_server.patch_status(run, began)["status"] == began
    assert kubernetes_server.get(run)["status"] == began


async def test_what_is_deleted_is_gone(kubernetes_server):
    namespace = kubernetes_server.fresh_namespace()
    one, other = config_map("one", namespace), config_map("other", namespace)
    kubernetes_server.apply(one, other)
    kubernetes_server.delete(one)
    left = kubernetes_server.objects("v1", "ConfigMap", namespace=namespace)
    assert [found["metadata"]["name"] for found in left] == ["other"]
    with pytest.raises(ObjectRefused) as refused:
        kubernetes_server.delete(one)
    assert status_of(refused) == 404


async def test_nobody_gets_in_without_a_token(kubernetes_server):
    path = "/api/v1/namespaces/default/configmaps"
    async with asked(kubernetes_server, path) as answer:
        assert answer.status in {401, 403}
    async with asked(kubernetes_server, path, token="made-up") as answer:
        assert answer.status == 401


async def test_an_account_may_do_what_its_rules_say_where_they_say_it(kubernetes_server):
    here, elsewhere = (kubernetes_server.fresh_namespace() for _ in range(2))
    local = kubernetes_server.account(READING, namespace=here).read_text()
    wide = kubernetes_server.account(READING).read_text()
    lists = {name: f"/api/v1/namespaces/{name}/configmaps" for name in (here, elsewhere)}
    for token, path, status in (
        (local, lists[here], 200),
        (local, lists[elsewhere], 403),
        (local, f"/api/v1/namespaces/{here}/secrets", 403),
        (wide, lists[elsewhere], 200),
        (wide, "/api/v1/configmaps", 200),
        (wide, "/api/v1/secrets", 403),
    ):
        async with asked(kubernetes_server, path, token=token) as answer:
            assert answer.status == status, path
