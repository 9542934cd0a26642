"""The Kubernetes clients while the real API server dies, hangs, and comes back."""

import asyncio
from collections.abc import AsyncIterator, Iterator
from contextlib import aclosing
from pathlib import Path

import orjson
import pytest
from kubernetes_home import CALL, RUNS, START, run_manifest
from kubernetes_real_home import PATIENCE, RealHome, real_home
from servers.kubernetes import KubernetesServer, kubernetes
from servers.proxy import proxy

from hub.actions.tekton import PipelineRun
from hub.clients.answer import OutcomeUnknownError
from hub.clients.tekton.manifest import run_name
from hub.errors import TemporaryError

TEKTON = sorted((Path(__file__).parents[1] / "data" / "crds" / "tekton").glob("*.yaml"))
SOON_SECONDS = 2.0
"""How long a call of the hub may take here."""


@pytest.fixture(scope="module")
def mortal(servers: None) -> Iterator[KubernetesServer]:
    """Return a server that the tests here may kill; each finds it running."""
    with kubernetes(platform=False) as server:
        server.install(*TEKTON)
        yield server


@pytest.fixture
async def home(mortal: KubernetesServer) -> AsyncIterator[RealHome]:
    mortal.resume()
    mortal.etcd.resume()
    await asyncio.to_thread(mortal.start)
    async with real_home(mortal, call_seconds=SOON_SECONDS) as opened:
        yield opened


async def start(home: RealHome) -> PipelineRun:
    return await home.clients.tekton.start(START, CALL)


async def start_at_last(home: RealHome) -> PipelineRun:
    """Try it again until it is done, as the hub does."""
    async with asyncio.timeout(PATIENCE):
        while True:
            try:
                return await start(home)
            except TemporaryError:
                await asyncio.sleep(0.05)


async def test_a_server_killed_in_mid_request_leaves_the_outcome_open_and_one_run(
    home: RealHome,
) -> None:
    home.server.etcd.pause()
    asked = asyncio.create_task(start(home))
    done, _ = await asyncio.wait([asked], timeout=0.5)
    assert not done
    await asyncio.to_thread(home.server.kill)
    with pytest.raises(OutcomeUnknownError):
        await asked
    home.server.etcd.resume()
    with pytest.raises(TemporaryError, match="cannot be reached"):
        await start(home)

    await asyncio.to_thread(home.server.start)

    run = await start_at_last(home)
    assert await home.runs() == [run.name] == [run_name(START)]


async def test_a_frozen_server_is_not_waited_for_and_makes_one_run(home: RealHome) -> None:
    await home.runs()
    home.server.pause()
    with pytest.raises(TemporaryError, match="in time"):
        await start(home)
    home.server.resume()

    run = await start_at_last(home)

    assert await home.runs() == [run.name]


async def test_a_run_outlives_the_server_that_made_it(home: RealHome) -> None:
    run = await start_at_last(home)
    await asyncio.to_thread(home.server.restart)

    assert await start_at_last(home) == run


async def test_a_list_goes_on_at_the_server_that_comes_after(
    home: RealHome, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("hub.clients.kubernetes.client.PAGE_OBJECTS", 2)
    for name in ("a", "b", "c"):
        await home.put(run_manifest(name))
    first = await home.clients.kubernetes.page(RUNS, namespace=home.namespace)
    await asyncio.to_thread(home.server.kill)
    await asyncio.to_thread(home.server.start)

    rest = await home.clients.kubernetes.page(RUNS, namespace=home.namespace, after=first.after)

    found = [orjson.loads(one)["metadata"]["name"] for one in (*first.items, *rest.items)]
    assert found == ["a", "b", "c"]


async def test_a_server_whose_store_is_dead_is_tried_again(home: RealHome) -> None:
    home.server.etcd.kill()
    with pytest.raises(TemporaryError):
        await start(home)
    await asyncio.to_thread(home.server.etcd.start)

    run = await start_at_last(home)

    assert await home.runs() == [run.name]


async def test_an_answer_that_is_cut_off_leaves_the_outcome_open_and_one_run(
    kubernetes_server: KubernetesServer,
) -> None:
    async with (
        proxy(to_port=kubernetes_server.port) as between,
        real_home(kubernetes_server, url=f"https://{between.address}") as home,
    ):
        nothing = await home.clients.kubernetes.get(RUNS, namespace=home.namespace, name="x")
        between.cut_after(0)
        with pytest.raises(OutcomeUnknownError):
            await start(home)

        run = await start(home)

        assert nothing is None
        assert await home.runs() == [run.name]
        assert run.uid


async def test_what_is_held_up_on_the_way_is_not_waited_for(
    kubernetes_server: KubernetesServer,
) -> None:
    async with (
        proxy(to_port=kubernetes_server.port) as between,
        real_home(
            kubernetes_server, url=f"https://{between.address}", call_seconds=SOON_SECONDS
        ) as home,
    ):
        await home.clients.kubernetes.get(RUNS, namespace=home.namespace, name="x")
        between.hold()
        with pytest.raises(TemporaryError, match="in time"):
            await start(home)
        between.release()

        run = await start_at_last(home)

        assert await home.runs() == [run.name]


async def test_a_watch_that_is_left_keeps_no_connection_to_a_server_that_is_silent(
    kubernetes_server: KubernetesServer,
) -> None:
    async with (
        proxy(to_port=kubernetes_server.port) as between,
        real_home(kubernetes_server, url=f"https://{between.address}") as home,
    ):
        kubernetes, here = home.clients.kubernetes, home.namespace
        since = (await kubernetes.page(RUNS, namespace=here)).version
        idle = between.connections
        async with aclosing(kubernetes.watch(RUNS, namespace=here, since=since)) as told:
            await home.put(run_manifest("one"))
            await anext(told)
            between.hold()
        async with asyncio.timeout(SOON_SECONDS):
            while between.connections >= idle:
                await asyncio.sleep(0.01)
