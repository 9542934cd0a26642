"""The sandbox's API server, over HTTP as a client of Kubernetes meets it."""

import asyncio
import json
from collections.abc import AsyncIterator
from contextlib import AbstractAsyncContextManager
from dataclasses import dataclass
from typing import Any, Self

import aiohttp
import pytest

from hub.sandbox.faults import Faults, ResetAfterEffect, Status
from hub.sandbox.kubernetes import (
    APPLICATIONS,
    PIPELINE_RUNS,
    Access,
    Cluster,
    KubernetesApi,
    Rule,
)
from hub.sandbox.kubernetes.refusal import Refusal

TOKEN = "a-token-of-a-service-account"
NAMESPACE = "tekton-pipelines"
RUNS = f"/apis/tekton.dev/v1/namespaces/{NAMESPACE}/pipelineruns"
APPS = "/apis/argoproj.io/v1alpha1/namespaces/argocd/applications"
DEADLINE = 10.0
MERGE_PATCH = {"Content-Type": "application/merge-patch+json"}


def pipeline_run(name: str = "orders-1", **metadata: Any) -> dict[str, Any]:
    return {
        "apiVersion": "tekton.dev/v1",
        "kind": "PipelineRun",
        "metadata": {"name": name, **metadata},
        "spec": {"pipelineRef": {"name": "microservice-ci"}},
    }


@dataclass
class Setting:
    cluster: Cluster
    api: KubernetesApi
    faults: Faults
    session: aiohttp.ClientSession

    async def ask(
        self, method: str, path: str, body: Any = None, headers: dict[str, str] | None = None
    ) -> tuple[int, Any]:
        address = self.api.url + path
        async with self.session.request(method, address, json=body, headers=headers) as answer:
            return answer.status, await answer.json()

    async def refused(self, method: str, path: str, body: Any = None) -> tuple[int, str, str]:
        status, told = await self.ask(method, path, body)
        assert (told["kind"], told["status"], told["code"]) == ("Status", "Failure", status)
        return status, told["reason"], told["message"]


def account() -> Access:
    rules = (
        Rule(kind=PIPELINE_RUNS, verbs=frozenset({"create", "get"}), namespace=NAMESPACE),
        Rule(kind=APPLICATIONS, verbs=frozenset({"get", "list", "watch"})),
    )
    return Access(user="system:serviceaccount:trunkline:hub", token=TOKEN, rules=rules)


@pytest.fixture
async def setting() -> AsyncIterator[Setting]:
    cluster = Cluster(namespaces=[NAMESPACE, "argocd"])
    faults = Faults()
    everything = Access(user="admin", token="admin-token")
    api = KubernetesApi(cluster=cluster, faults=faults, accounts=(everything, account()))
    await api.start()
    async with aiohttp.ClientSession(headers={"Authorization": "Bearer admin-token"}) as session:
        yield Setting(cluster=cluster, api=api, faults=faults, session=session)
    await api.stop()


async def test_a_created_object_has_what_the_server_adds(setting: Setting) -> None:
    status, made = await setting.ask("POST", RUNS, pipeline_run() | {"status": {"x": 1}})
    assert status == 201
    assert made["metadata"]["namespace"] == NAMESPACE
    assert made["metadata"]["generation"] == 1
    assert {"uid", "resourceVersion", "creationTimestamp"} <= made["metadata"].keys()
    assert "status" not in made
    assert await setting.ask("GET", f"{RUNS}/orders-1") == (200, made)
    assert setting.cluster.pipeline_runs() == [made]


async def test_a_name_is_taken_once(setting: Setting) -> None:
    await setting.ask("POST", RUNS, pipeline_run())
    status, reason, message = await setting.refused("POST", RUNS, pipeline_run())
    assert (status, reason) == (409, "AlreadyExists")
    assert message == 'pipelineruns.tekton.dev "orders-1" already exists'
    assert len(setting.cluster.pipeline_runs()) == 1


@pytest.mark.parametrize(
    ("body", "expected"),
    [
        (pipeline_run("Not_A_Name"), (422, "Invalid")),
        (pipeline_run(""), (422, "Invalid")),
        (pipeline_run(labels={"branch": "feature/one"}), (422, "Invalid")),
        (pipeline_run(labels={"branch": "x" * 64}), (422, "Invalid")),
        (pipeline_run(labels={"a b": "x"}), (422, "Invalid")),
        (pipeline_run(annotations={"note": "x" * 300_000}), (422, "Invalid")),
        (pipeline_run(labels={"number": 1}), (400, "BadRequest")),
        (pipeline_run("x" * 64), (400, "BadRequest")),
        (pipeline_run() | {"spec": {}}, (400, "BadRequest")),
        (pipeline_run() | {"apiVersion": "tekton.dev/v1beta1"}, (400, "BadRequest")),
        (pipeline_run(namespace="other"), (400, "BadRequest")),
        ([], (400, "BadRequest")),
    ],
)
async def test_what_breaks_the_rules_is_not_created(
    setting: Setting, body: Any, expected: tuple[int, str]
) -> None:
    status, reason, message = await setting.refused("POST", RUNS, body)
    assert (status, reason) == expected
    assert message
    assert setting.cluster.pipeline_runs() == []


async def test_an_invalid_object_is_told_field_by_field(setting: Setting) -> None:
    body = pipeline_run("Not_A_Name", labels={"branch": "a/b"})
    _, told = await setting.ask("POST", RUNS, body)
    fields = [cause["field"] for cause in told["details"]["causes"]]
    assert fields == ["metadata.name", "metadata.labels"]


async def test_what_is_not_there_is_not_found(setting: Setting) -> None:
    assert (await setting.refused("GET", f"{RUNS}/none"))[:2] == (404, "NotFound")
    other = RUNS.replace(NAMESPACE, "nowhere")
    assert (await setting.refused("POST", other, pipeline_run()))[:2] == (404, "NotFound")
    address = f"{setting.api.url}/apis/tekton.dev/v1/namespaces/{NAMESPACE}/pipelines"
    async with setting.session.get(address) as answer:
        assert (answer.status, await answer.text()) == (404, "404 page not found\n")


async def test_other_media_types_and_broken_json_are_refused(setting: Setting) -> None:
    for media_type, expected in (("application/yaml", 415), ("application/json", 400)):
        async with setting.session.post(
            setting.api.url + RUNS, data=b"{", headers={"Content-Type": media_type}
        ) as answer:
            assert answer.status == expected
            assert (await answer.json())["kind"] == "Status"


async def test_a_change_from_an_old_version_conflicts(setting: Setting) -> None:
    _, made = await setting.ask("POST", APPS, application())
    status, changed = await setting.ask("PUT", f"{APPS}/orders-dev", made | {"spec": {"a": 1}})
    assert (status, changed["metadata"]["generation"]) == (200, 2)
    refused = await setting.refused("PUT", f"{APPS}/orders-dev", made | {"spec": {"a": 2}})
    assert refused[:2] == (409, "Conflict")
    assert "the object has been modified" in refused[2]
    del made["metadata"]["resourceVersion"]
    assert (await setting.refused("PUT", f"{APPS}/orders-dev", made))[:2] == (422, "Invalid")


async def test_status_has_a_path_of_its_own(setting: Setting) -> None:
    _, made = await setting.ask("POST", RUNS, pipeline_run())
    path = f"{RUNS}/orders-1"
    patch = {"status": {"reason": "Started"}, "spec": {"status": "Cancelled"}}
    _, plain = await setting.ask("PATCH", path, patch, MERGE_PATCH)
    assert "status" not in plain
    assert plain["spec"]["status"] == "Cancelled"
    _, through = await setting.ask("PATCH", f"{path}/status", patch, MERGE_PATCH)
    assert through["status"] == {"reason": "Started"}
    assert through["metadata"]["uid"] == made["metadata"]["uid"]


async def test_a_patch_can_insist_on_a_version(setting: Setting) -> None:
    _, made = await setting.ask("POST", APPS, application())
    await setting.ask("PATCH", f"{APPS}/orders-dev", {"spec": {"a": 1}}, MERGE_PATCH)
    stale = {"metadata": {"resourceVersion": made["metadata"]["resourceVersion"]}, "spec": {}}
    status, told = await setting.ask("PATCH", f"{APPS}/orders-dev", stale, MERGE_PATCH)
    assert (status, told["reason"]) == (409, "Conflict")


async def test_a_change_that_changes_nothing_makes_no_version(setting: Setting) -> None:
    _, made = await setting.ask("POST", APPS, application())
    assert await setting.ask("PUT", f"{APPS}/orders-dev", made) == (200, made)


async def test_a_deletion_can_insist_on_the_uid(setting: Setting) -> None:
    _, made = await setting.ask("POST", RUNS, pipeline_run())
    path, other = f"{RUNS}/orders-1", {"preconditions": {"uid": "other"}}
    assert (await setting.refused("DELETE", path, other))[:2] == (409, "Conflict")
    status, told = await setting.ask("DELETE", path)
    assert (status, told["status"]) == (200, "Success")
    assert told["details"]["uid"] == made["metadata"]["uid"]
    assert setting.cluster.pipeline_runs() == []


async def test_a_list_comes_in_pages_until_they_expire(setting: Setting) -> None:
    for number in range(5):
        await setting.ask("POST", RUNS, pipeline_run(f"orders-{number}"))
    names, token = [], ""
    for _ in range(3):
        _, page = await setting.ask("GET", f"{RUNS}?limit=2&continue={token}")
        names += [one["metadata"]["name"] for one in page["items"]]
        token = page["metadata"].get("continue", "")
    assert names == [f"orders-{number}" for number in range(5)]
    assert not token
    _, page = await setting.ask("GET", f"{RUNS}?limit=2")
    assert page["metadata"]["remainingItemCount"] == 3
    await setting.ask("POST", RUNS, pipeline_run("later"))
    setting.cluster.changes.compact()
    path = f"{RUNS}?limit=2&continue={page['metadata']['continue']}"
    assert (await setting.refused("GET", path))[:2] == (410, "Expired")


@pytest.mark.parametrize(
    ("selector", "expected"),
    [
        ("app=a", ["one"]),
        ("app!=a", ["three", "two"]),
        ("app in (a, b),stage", ["one"]),
        ("!stage", ["three", "two"]),
        ("app notin (a)", ["three", "two"]),
    ],
)
async def test_labels_select(setting: Setting, selector: str, expected: list[str]) -> None:
    await setting.ask("POST", RUNS, pipeline_run("one", labels={"app": "a", "stage": "x"}))
    await setting.ask("POST", RUNS, pipeline_run("two", labels={"app": "b"}))
    await setting.ask("POST", RUNS, pipeline_run("three"))
    _, page = await setting.ask("GET", f"{RUNS}?labelSelector={selector}")
    assert [one["metadata"]["name"] for one in page["items"]] == expected
    assert (await setting.refused("GET", f"{RUNS}?labelSelector=a b"))[0] == 400


async def test_a_watch_tells_what_happens_after_its_version(setting: Setting) -> None:
    _, first = await setting.ask("POST", APPS, application())
    version = first["metadata"]["resourceVersion"]
    await setting.ask("PATCH", f"{APPS}/orders-dev", {"spec": {"a": 1}}, MERGE_PATCH)
    async with watch(setting, f"?watch=true&resourceVersion={version}") as events:
        assert (await events.next())["type"] == "MODIFIED"
        await setting.ask("DELETE", f"{APPS}/orders-dev")
        gone = await events.next()
        assert (gone["type"], gone["object"]["metadata"]["name"]) == ("DELETED", "orders-dev")


async def test_a_watch_without_a_version_begins_with_what_is_there(setting: Setting) -> None:
    await setting.ask("POST", APPS, application())
    async with watch(setting, "?watch=true&allowWatchBookmarks=true") as events:
        assert (await events.next())["type"] == "ADDED"
        setting.cluster.changes.bookmark()
        mark = await events.next()
        assert mark["type"] == "BOOKMARK"
        assert int(mark["object"]["metadata"]["resourceVersion"]) >= 2


async def test_what_ceases_to_match_is_deleted_for_a_watch(setting: Setting) -> None:
    await setting.ask("POST", APPS, application())
    async with watch(setting, "?watch=true&labelSelector=stage%3Dready") as events:
        for stage in ("ready", "gone"):
            patch = {"metadata": {"labels": {"stage": stage}}}
            await setting.ask("PATCH", f"{APPS}/orders-dev", patch, MERGE_PATCH)
        assert [(await events.next())["type"] for _ in range(2)] == ["ADDED", "DELETED"]


async def test_a_forgotten_version_is_gone_at_once_and_in_mid_stream(setting: Setting) -> None:
    await setting.ask("POST", APPS, application())
    async with watch(setting, "?watch=true") as events:
        await events.next()
        setting.cluster.changes.expire()
        error = await events.next()
        assert (error["type"], error["object"]["code"]) == ("ERROR", 410)
        assert await events.ended()
    async with watch(setting, "?watch=true&resourceVersion=1") as events:
        assert (await events.next())["object"]["reason"] == "Expired"


async def test_a_watch_ends_when_its_time_is_up_or_the_server_says_so(setting: Setting) -> None:
    async with watch(setting, "?watch=true&timeoutSeconds=1") as events:
        assert await events.ended()
    async with watch(setting, "?watch=true") as events:
        await setting.ask("POST", APPS, application())
        await events.next()
        setting.cluster.changes.disconnect()
        assert await events.ended()


async def test_nobody_gets_in_without_a_token(setting: Setting) -> None:
    for headers in ({}, {"Authorization": "Bearer wrong"}, {"Authorization": f"Basic {TOKEN}"}):
        async with aiohttp.request("GET", setting.api.url + RUNS, headers=headers) as answer:
            assert answer.status == 401
            assert (await answer.json())["reason"] == "Unauthorized"


async def test_an_account_may_do_what_its_rules_say_and_no_more(setting: Setting) -> None:
    bearer = {"Authorization": f"Bearer {TOKEN}"}
    assert (await setting.ask("POST", RUNS, pipeline_run(), bearer))[0] == 201
    assert (await setting.ask("GET", APPS, None, bearer))[0] == 200
    for method, path in (
        ("GET", RUNS),
        ("DELETE", f"{RUNS}/orders-1"),
        ("POST", RUNS.replace(NAMESPACE, "argocd")),
        ("PATCH", f"{RUNS}/orders-1/status"),
    ):
        status, told = await setting.ask(method, path, pipeline_run(), bearer)
        assert (status, told["reason"]) == (403, "Forbidden")
        assert 'User "system:serviceaccount:trunkline:hub" cannot' in told["message"]


async def test_a_quota_denies_until_it_is_lifted(setting: Setting) -> None:
    quota = Refusal(403, "Forbidden", 'pipelineruns "orders-1" is forbidden: exceeded quota: runs')
    setting.cluster.deny_creation(PIPELINE_RUNS, quota)
    assert (await setting.refused("POST", RUNS, pipeline_run()))[0] == 403
    setting.cluster.deny_creation(PIPELINE_RUNS, None)
    assert (await setting.ask("POST", RUNS, pipeline_run()))[0] == 201


async def test_told_to_fail_it_answers_as_an_api_server(setting: Setting) -> None:
    setting.faults.fail("kubernetes", Status(status=429, retry_after=1), times=1)
    assert (await setting.refused("GET", RUNS))[:2] == (429, "TooManyRequests")
    setting.faults.fail("kubernetes", ResetAfterEffect(), method="POST", times=1)
    with pytest.raises(aiohttp.ClientError):
        await setting.ask("POST", RUNS, pipeline_run())
    assert (await setting.refused("POST", RUNS, pipeline_run()))[:2] == (409, "AlreadyExists")


def application() -> dict[str, Any]:
    return {
        "apiVersion": "argoproj.io/v1alpha1",
        "kind": "Application",
        "metadata": {"name": "orders-dev"},
        "spec": {"project": "microservices"},
    }


def watch(setting: Setting, query: str) -> "Events":
    return Events(setting.session.get(setting.api.url + APPS + query))


class Events:
    """An open watch of the Applications."""

    def __init__(self, request: AbstractAsyncContextManager[aiohttp.ClientResponse]) -> None:
        self._request = request

    async def __aenter__(self) -> Self:
        self._answer = await self._request.__aenter__()
        assert self._answer.status == 200
        return self

    async def __aexit__(self, *error: object) -> None:
        self._answer.close()

    async def next(self) -> dict[str, Any]:
        async with asyncio.timeout(DEADLINE):
            event: dict[str, Any] = json.loads(await self._answer.content.readline())
            return event

    async def ended(self) -> bool:
        async with asyncio.timeout(DEADLINE):
            return await self._answer.content.readline() == b""
