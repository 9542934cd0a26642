"""What the client of the Kubernetes API keeps, on the sandbox's API server and on the real one.

Subclasses have a fixture `home`: see `test_clients_kubernetes.py` and
`test_clients_kubernetes_real.py`.
"""

import asyncio
from typing import Any

import orjson
import pytest
from kubernetes_home import APPLICATIONS, RUNS, Home, Object, finish, run_manifest

from hub.clients.http import MAX_ANSWER_BYTES
from hub.clients.kubernetes import AlreadyExists, Created, Resource
from hub.errors import PermanentError, TemporaryError

PATIENCE = 60.0
"""Seconds after which something is stuck, whatever the machine is busy with."""

UNKNOWN = (
    Resource(group="tekton.dev", version="v9", plural="pipelineruns"),
    Resource(group="tekton.dev", version="v1", plural="pipelinejogs"),
    Resource(group="nobody.example.com", version="v1", plural="things"),
)
LARGE = 900 * 1024
"""Bytes: less than an object may have in etcd."""


async def create(home: Home, manifest: Object) -> Created | AlreadyExists:
    return await home.clients.kubernetes.create(
        RUNS, namespace=home.namespace, manifest=orjson.dumps(manifest)
    )


async def change(home: Home, name: str, patch: Object) -> Any:
    body = await home.clients.kubernetes.patch(
        RUNS, namespace=home.namespace, name=name, change=orjson.dumps(patch)
    )
    return None if body is None else orjson.loads(body)


async def get(home: Home, name: str) -> Any:
    body = await home.clients.kubernetes.get(RUNS, namespace=home.namespace, name=name)
    return None if body is None else orjson.loads(body)


async def listed(home: Home, labels: str = "") -> list[str]:
    found = await home.clients.kubernetes.list_all(RUNS, namespace=home.namespace, labels=labels)
    return [orjson.loads(one)["metadata"]["name"] for one in found]


async def go_on_for_ever(home: Home, after: str) -> None:
    """Ask for the same page again and again: the real server forgets it when it comes to it."""
    async with asyncio.timeout(PATIENCE):
        while await home.clients.kubernetes.page(RUNS, namespace=home.namespace, after=after):
            await asyncio.sleep(0.2)


class WritingSuite:
    async def test_what_is_created_comes_back_with_what_the_server_adds(self, home: Home) -> None:
        made = await create(home, run_manifest("one", team="payments"))
        assert isinstance(made, Created)
        kept = await get(home, "one")
        assert kept == orjson.loads(made.body)
        assert kept["spec"] == {"pipelineRef": {"name": "microservice-ci"}}
        assert kept["metadata"]["labels"] == {"team": "payments"}
        assert kept["metadata"]["namespace"] == home.namespace
        assert kept["metadata"]["uid"]

    async def test_a_name_that_is_taken_changes_nothing(self, home: Home) -> None:
        await create(home, run_manifest("one"))
        before = await get(home, "one")
        assert await create(home, run_manifest("one", team="other")) == AlreadyExists()
        assert await get(home, "one") == before

    async def test_what_is_not_there_is_none(self, home: Home) -> None:
        assert await get(home, "nothing") is None
        assert await change(home, "nothing", {"metadata": {"labels": {"a": "b"}}}) is None

    @pytest.mark.parametrize("kind", UNKNOWN, ids=str)
    async def test_a_kind_that_is_not_installed_is_not_taken_for_a_missing_object(
        self, home: Home, kind: Resource
    ) -> None:
        kubernetes, place = home.clients.kubernetes, home.namespace
        for asked in (
            kubernetes.get(kind, namespace=place, name="x"),
            kubernetes.list_all(kind, namespace=place),
            kubernetes.patch(kind, namespace=place, name="x", change=b"{}"),
        ):
            with pytest.raises(PermanentError, match=f"does not know {kind}"):
                await asked

    async def test_a_patch_merges_and_null_removes(self, home: Home) -> None:
        await create(home, run_manifest("one", keep="a", drop="b"))
        after = await change(home, "one", {"metadata": {"labels": {"drop": None, "new": "c"}}})
        assert after["metadata"]["labels"] == {"keep": "a", "new": "c"}
        assert after == await get(home, "one")

    async def test_a_patch_from_an_old_version_is_tried_again(self, home: Home) -> None:
        await create(home, run_manifest("one"))
        old = (await get(home, "one"))["metadata"]["resourceVersion"]
        first = {"metadata": {"resourceVersion": old, "labels": {"by": "first"}}}
        await change(home, "one", first)
        with pytest.raises(TemporaryError, match="the object has been modified"):
            await change(home, "one", {"metadata": {"resourceVersion": old, "labels": {"by": "2"}}})
        assert (await get(home, "one"))["metadata"]["labels"] == {"by": "first"}

    async def test_a_patch_leaves_the_status_to_the_controller(self, home: Home) -> None:
        await create(home, run_manifest("one"))
        await finish(home, "one", {"startTime": "2026-01-31T09:30:00Z"})
        after = await change(home, "one", {"status": {"startTime": "1970-01-01T00:00:00Z"}})
        assert after["status"] == {"startTime": "2026-01-31T09:30:00Z"}


class ListingSuite:
    @pytest.fixture
    def small_pages(self, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr("hub.clients.kubernetes.client.PAGE_OBJECTS", 2)

    async def test_a_list_comes_in_pages(self, home: Home, small_pages: None) -> None:
        names = ["a", "b", "c", "d", "e"]
        for name in reversed(names):
            await create(home, run_manifest(name))
        assert await listed(home) == names
        first = await home.clients.kubernetes.page(RUNS, namespace=home.namespace)
        last = await home.clients.kubernetes.page(RUNS, namespace=home.namespace, after=first.after)
        assert [len(first.items), len(last.items)] == [2, 2]
        assert first.version == last.version != ""
        assert "" not in {first.after, last.after}

    async def test_an_empty_list_is_one_empty_page(self, home: Home) -> None:
        page = await home.clients.kubernetes.page(RUNS, namespace=home.namespace)
        assert (page.items, page.after) == ((), "")
        assert page.version

    @pytest.mark.parametrize(
        ("selector", "expected"),
        [
            ("team=payments", ["a", "b"]),
            ("team!=payments", ["c", "d"]),
            ("team=payments,stage in (live, test)", ["a", "b"]),
            ("stage notin (live)", ["b", "c", "d"]),
            ("stage", ["a", "b"]),
            ("!team", ["d"]),
        ],
    )
    async def test_labels_select(self, home: Home, selector: str, expected: list[str]) -> None:
        for name, labels in (
            ("a", {"team": "payments", "stage": "live"}),
            ("b", {"team": "payments", "stage": "test"}),
            ("c", {"team": "orders"}),
            ("d", {}),
        ):
            await create(home, run_manifest(name, **labels))
        assert await listed(home, selector) == expected

    async def test_a_selector_that_is_none_is_refused(self, home: Home) -> None:
        with pytest.raises(PermanentError, match="400"):
            await listed(home, "team in payments")

    async def test_a_page_that_is_too_old_to_go_on_from_is_begun_anew(
        self, home: Home, small_pages: None
    ) -> None:
        kubernetes = home.clients.kubernetes
        for name in ("a", "b", "c"):
            await create(home, run_manifest(name))
        page = await kubernetes.page(RUNS, namespace=home.namespace)
        await create(home, run_manifest("d"))
        await home.forget()
        with pytest.raises(TemporaryError, match="changed too much"):
            await go_on_for_ever(home, page.after)
        assert await listed(home) == ["a", "b", "c", "d"]

    async def test_objects_too_large_for_one_answer_come_in_smaller_pages(self, home: Home) -> None:
        names = await create_large(home, 6)
        assert len(names) * LARGE > MAX_ANSWER_BYTES
        assert await listed(home) == names

    async def test_pages_grow_again_where_the_objects_are_small(self, home: Home) -> None:
        await create_large(home, 6)
        for number in range(20):
            await create(home, run_manifest(f"small-{number:02}"))
        sizes: list[int] = []
        after = ""
        while after or not sizes:
            page = await home.clients.kubernetes.page(RUNS, namespace=home.namespace, after=after)
            sizes.append(len(page.items))
            after = page.after
        assert sum(sizes) == 26
        assert max(sizes) > 2 * sizes[0]


async def create_large(home: Home, number: int) -> list[str]:
    """Create so many large runs, and return their names."""
    names = [f"large-{one}" for one in range(number)]
    for name in names:
        large = run_manifest(name)
        large["spec"]["params"] = [{"name": "text", "value": "x" * LARGE}]
        await create(home, large)
    return names


class RightsSuite:
    async def test_what_the_account_may_not_do_is_told_and_not_tried_again(
        self, home: Home
    ) -> None:
        body = orjson.dumps(run_manifest("one"))
        with pytest.raises(PermanentError) as caught:
            await home.clients.kubernetes.create(RUNS, namespace=home.elsewhere, manifest=body)
        said = str(caught.value)
        assert "answered 403" in said
        assert 'pipelineruns.tekton.dev is forbidden: User "system:serviceaccount:' in said
        assert 'cannot create resource "pipelineruns" in API group "tekton.dev"' in said
        assert f'in the namespace "{home.elsewhere}"' in said
        assert "kubernetes.token" in said
        assert home.clients.token_file.read_text() not in said

    async def test_a_list_across_all_namespaces_needs_a_right_of_its_own(self, home: Home) -> None:
        with pytest.raises(PermanentError, match=r"403.*cannot list.*at the cluster scope"):
            await home.clients.kubernetes.list_all(RUNS, namespace=None)

    async def test_reading_one_object_is_no_right_to_list(self, home: Home) -> None:
        with pytest.raises(PermanentError, match=r'403.*cannot list resource "applications"'):
            await home.clients.kubernetes.list_all(APPLICATIONS, namespace=home.namespace)


class RefusingSuite:
    @pytest.mark.parametrize(
        ("metadata", "words"),
        [
            ({"name": "Not_A_Name"}, r'answered 422: PipelineRun\.tekton\.dev "Not_A_Name" is inv'),
            ({"name": ""}, r"metadata\.name: Required value: name or generateName is required"),
            ({"name": "a", "labels": {"k": "no value"}}, r"metadata\.labels: Invalid value"),
            ({"name": "a", "labels": {"k": "x" * 64}}, r"metadata\.labels: Invalid value"),
            ({"name": "a", "labels": {"no key": "v"}}, r"metadata\.labels: Invalid value"),
            (
                {"name": "a", "annotations": {"k": "x" * 262_144}},
                r"metadata\.annotations: Too long",
            ),
            ({"name": "a", "annotations": {"k": 7}}, r"answered 400"),
            ({"name": "a", "namespace": "kube-public"}, r"answered 400.*namespace"),
        ],
    )
    async def test_metadata_that_breaks_the_rules_is_refused(
        self, home: Home, metadata: Object, words: str
    ) -> None:
        with pytest.raises(PermanentError, match=words):
            await create(home, run_manifest("a") | {"metadata": metadata})
        assert await home.runs() == []

    @pytest.mark.parametrize(
        ("wrong", "words"),
        [
            ({"kind": "TaskRun"}, 'kind: Invalid value: "TaskRun": must be PipelineRun'),
            ({"apiVersion": "tekton.dev/v1beta1"}, "answered 400"),
            ({"spec": {"params": "none"}}, r'spec\.params: Invalid value: "string"'),
            ({"spec": {"pipelineRef": []}}, r'spec\.pipelineRef: Invalid value: "array"'),
            ({"spec": {"pipelineReff": {"name": "ci"}}}, r'unknown field "spec\.pipelineReff"'),
        ],
    )
    async def test_what_the_kind_does_not_allow_is_refused(
        self, home: Home, wrong: Object, words: str
    ) -> None:
        with pytest.raises(PermanentError, match=words):
            await create(home, run_manifest("a") | wrong)
        assert await home.runs() == []

    async def test_a_patch_with_an_unknown_field_is_refused(self, home: Home) -> None:
        await create(home, run_manifest("one"))
        with pytest.raises(PermanentError, match=r"answered 422.*patch: Invalid value"):
            await change(home, "one", {"spec": {"statuss": "Cancelled"}})

    async def test_an_exhausted_quota_is_waited_for(self, home: Home) -> None:
        await home.limit_runs(1)
        await create(home, run_manifest("first"))
        await home.limit_runs(1)
        with pytest.raises(TemporaryError, match="exceeded quota: ci") as caught:
            await create(home, run_manifest("second"))
        assert caught.value.after == 60
        await home.limit_runs(2)
        assert isinstance(await create(home, run_manifest("second")), Created)

    async def test_a_projected_token_is_swapped_under_a_running_hub(self, home: Home) -> None:
        token_file = home.clients.token_file
        fresh = await home.next_token()
        token_file.write_text("a-token-that-has-expired")
        home.clients.time.now += 2
        with pytest.raises(PermanentError, match=r"401.*kubernetes\.token") as caught:
            await create(home, run_manifest("one"))
        assert "expired" not in str(caught.value)
        token_file.write_text(fresh)
        await create(home, run_manifest("one"))
        assert await home.runs() == ["one"]


class KubernetesSuite(WritingSuite, ListingSuite, RightsSuite, RefusingSuite):
    """All that is told of a cluster."""
