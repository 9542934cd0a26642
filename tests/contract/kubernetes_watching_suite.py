"""What a watch, discovery and replacing keep, on the sandbox's API server and on the real one."""

import asyncio
from collections.abc import AsyncGenerator
from contextlib import aclosing

import orjson
import pytest
from kubernetes_home import LEASES, RUNS, Home, Object, run_manifest
from kubernetes_suite import PATIENCE, change, create

from hub.clients.kubernetes import Bookmark, Changed, Removed, Resource, Told, WatchExpired
from hub.errors import PermanentError

VERSION_LONG_AGO = "1"


async def version_now(home: Home) -> str:
    page = await home.clients.kubernetes.page(RUNS, namespace=home.namespace)
    return page.version


def watch(home: Home, since: str, resource: Resource = RUNS) -> AsyncGenerator[Told]:
    return home.clients.kubernetes.watch(resource, namespace=home.namespace, since=since)


async def first(number: int, told: AsyncGenerator[Told]) -> list[Told]:
    """The first changes of a watch; bookmarks come when they like."""
    changes: list[Told] = []
    async with asyncio.timeout(PATIENCE), aclosing(told):
        async for one in told:
            if not isinstance(one, Bookmark):
                changes.append(one)
            if len(changes) == number:
                break
    return changes


def name_and_team(told: Told) -> tuple[str, str, str]:
    assert isinstance(told, Changed | Removed)
    metadata = orjson.loads(told.body)["metadata"]
    assert metadata["resourceVersion"] == told.version
    return type(told).__name__, metadata["name"], metadata.get("labels", {}).get("team", "")


def lease(holder: str, version: str = "") -> Object:
    return {
        "apiVersion": "coordination.k8s.io/v1",
        "kind": "Lease",
        "metadata": {"name": "one"} | ({"resourceVersion": version} if version else {}),
        "spec": {"holderIdentity": holder, "renewTime": "2026-01-31T09:30:00.000000Z"},
    }


class WatchingSuite:
    async def test_what_happens_after_a_version_is_told_in_order(self, home: Home) -> None:
        await create(home, run_manifest("before"))
        since = await version_now(home)
        await create(home, run_manifest("one", team="payments"))
        await change(home, "one", {"metadata": {"labels": {"team": "orders"}}})
        await home.remove("one")

        changes = await first(3, watch(home, since))

        assert [name_and_team(one) for one in changes] == [
            ("Changed", "one", "payments"),
            ("Changed", "one", "orders"),
            ("Removed", "one", "orders"),
        ]

    async def test_what_happens_during_a_watch_is_told_at_once(self, home: Home) -> None:
        since = await version_now(home)
        watching = asyncio.create_task(first(1, watch(home, since)))
        await create(home, run_manifest("one"))

        (told,) = await watching

        assert name_and_team(told) == ("Changed", "one", "")

    async def test_a_watch_goes_on_from_the_version_that_was_told_last(self, home: Home) -> None:
        since = await version_now(home)
        for name in ("one", "two", "three"):
            await create(home, run_manifest(name))
        (told,) = await first(1, watch(home, since))

        rest = await first(2, watch(home, told.version))

        assert [name_and_team(one)[1] for one in (told, *rest)] == ["one", "two", "three"]

    async def test_other_namespaces_are_not_told_of(self, home: Home) -> None:
        since = await version_now(home)
        await home.put(run_manifest("elsewhere") | at(home.elsewhere, "elsewhere"))
        await create(home, run_manifest("here"))

        (told,) = await first(1, watch(home, since))

        assert name_and_team(told)[1] == "here"

    async def test_a_version_that_is_forgotten_has_to_be_listed_anew(self, home: Home) -> None:
        await create(home, run_manifest("one"))
        await home.forget()
        with pytest.raises(WatchExpired):
            await first(1, watch(home, VERSION_LONG_AGO))

    async def test_a_watch_ends_by_itself_and_in_peace(
        self, home: Home, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr("hub.clients.kubernetes.watching.WATCH_SECONDS", 1)
        since = await version_now(home)
        assert await first(1, watch(home, since)) == []

    async def test_what_may_not_be_watched_is_refused(self, home: Home) -> None:
        told = home.clients.kubernetes.watch(RUNS, namespace=home.elsewhere, since="1")
        with pytest.raises(PermanentError, match="403"):
            await first(1, told)


class DiscoverySuite:
    async def test_the_kinds_of_a_group_are_those_that_can_be_watched(self, home: Home) -> None:
        found = await home.clients.kubernetes.kinds("tekton.dev")
        assert ("PipelineRun", RUNS) in {(one.kind, one.resource) for one in found}
        assert all("/" not in one.resource.plural for one in found)

    async def test_a_kind_that_has_not_the_preferred_version_is_found_in_its_own(
        self, home: Home
    ) -> None:
        found = await home.clients.kubernetes.kinds("tekton.dev")
        versions = {one.resource.plural: one.resource.version for one in found}
        assert len(versions) == len(found)
        assert versions["pipelineruns"] == "v1"
        assert versions["customruns"] == "v1beta1"

    async def test_a_group_that_is_not_installed_has_none(self, home: Home) -> None:
        assert await home.clients.kubernetes.kinds("nobody.example.com") == ()


class ReplacingSuite:
    async def test_an_object_is_replaced_from_the_version_that_was_read(self, home: Home) -> None:
        await self.make(home, lease("first"))
        version = (await self.read(home))["metadata"]["resourceVersion"]

        written = await self.replace(home, lease("second", version))
        late = await self.replace(home, lease("third", version))

        assert written is not None
        assert late is None
        assert (await self.read(home))["spec"]["holderIdentity"] == "second"

    @staticmethod
    async def make(home: Home, manifest: Object) -> None:
        await home.clients.kubernetes.create(
            LEASES, namespace=home.namespace, manifest=orjson.dumps(manifest)
        )

    @staticmethod
    async def read(home: Home) -> Object:
        body = await home.clients.kubernetes.get(LEASES, namespace=home.namespace, name="one")
        assert body is not None
        found: Object = orjson.loads(body)
        return found

    @staticmethod
    async def replace(home: Home, manifest: Object) -> bytes | None:
        return await home.clients.kubernetes.replace(
            LEASES, namespace=home.namespace, name="one", manifest=orjson.dumps(manifest)
        )


def at(namespace: str, name: str) -> Object:
    return {"metadata": {"name": name, "namespace": namespace}}


class FollowingSuite(WatchingSuite, DiscoverySuite, ReplacingSuite):
    """All that is told of following a cluster."""
