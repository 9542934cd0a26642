"""The watcher on the real API server, which dies, hangs, and comes back."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from pathlib import Path

import orjson
import pytest
from kubernetes_home import RUNS, run_manifest
from kubernetes_real_home import RealHome, real_home
from servers.kubernetes import KubernetesServer, kubernetes
from servers.proxy import proxy
from watch_home import Watching, running
from watch_home import watching as opened_watching
from watch_suite import WatchSuite, become, make

from hub.errors import TemporaryError

TEKTON = sorted((Path(__file__).parents[1] / "data" / "crds" / "tekton").glob("*.yaml"))


@pytest.fixture
async def home(kubernetes_server: KubernetesServer) -> AsyncIterator[RealHome]:
    async with real_home(kubernetes_server) as opened:
        yield opened


@pytest.fixture
async def watching(home: RealHome, tmp_path: Path) -> AsyncIterator[Watching]:
    async with opened_watching(home, tmp_path) as opened:
        yield opened


class TestRealWatch(WatchSuite):
    pass


REVISIONS_OF_A_START = 300
"""More changes than an API server that starts makes by itself."""

READY = b'{"metadata":{"labels":{"state":"ready"}}}'


def deep_run(name: str, *, levels: int) -> bytes:
    """Return a run with a parameter of objects within each other, as the API server takes it."""
    deep = b'{"a":' * levels + b"1" + b"}" * levels
    run = orjson.dumps(run_manifest(name, state="new"))
    return run.replace(b'"spec":{', b'"spec":{"params":[{"name":"deep","value":%b}],' % deep)


async def test_objects_deeper_than_any_reader_goes_hold_up_no_other(
    home: RealHome, watching: Watching
) -> None:
    async def make_deep(name: str, levels: int) -> None:
        manifest = deep_run(name, levels=levels)
        await home.clients.kubernetes.create(RUNS, namespace=home.namespace, manifest=manifest)

    await make_deep("deep", 300)
    await make_deep("deeper", 3_000)
    async with watching.watched():
        await watching.until_said("deep new", "deeper new")
        await make_deep("deepest", 9_000)
        await make(home, "plain", "new")
        await home.clients.kubernetes.patch(
            RUNS, namespace=home.namespace, name="deepest", change=READY
        )
        said = await watching.until_said("plain new", "deepest ready")
    assert said == ["deep new", "deeper new", "deepest new", "plain new", "deepest ready"]


async def test_connections_that_are_cut_in_the_middle_of_a_line_lose_and_repeat_nothing(
    kubernetes_server: KubernetesServer, tmp_path: Path
) -> None:
    names = [f"run-{number:02}" for number in range(30)]
    async with (
        proxy(to_port=kubernetes_server.port) as between,
        real_home(kubernetes_server, url=f"https://{between.address}") as home,
        opened_watching(home, tmp_path) as watching,
        watching.watched(),
    ):
        for number, name in enumerate(names):
            between.cut_after(1 + 300 * number)
            await home.put(run_manifest(name, state="new"))
        said = await watching.until_said(*[f"{name} new" for name in names])
        assert watching.counted("interrupted_total", why="failed") > 0
    assert sorted(said) == [f"{name} new" for name in names]


@pytest.fixture(scope="module")
def mortal(servers: None) -> Iterator[KubernetesServer]:
    """Return a server that the tests here may kill."""
    with kubernetes(platform=False) as server:
        server.install(*TEKTON)
        yield server


@pytest.fixture
async def dying(mortal: KubernetesServer, tmp_path: Path) -> AsyncIterator[Watching]:
    mortal.resume()
    await asyncio.to_thread(mortal.start)
    async with real_home(mortal) as home, opened_watching(home, tmp_path) as opened:
        yield opened


async def surely(act: Callable[[], Awaitable[None]]) -> None:
    """Do something at last, while the server comes to itself."""
    async with asyncio.timeout(60):
        while True:
            try:
                return await act()
            except TemporaryError:
                await asyncio.sleep(0.05)


async def test_a_server_that_is_killed_and_comes_back_is_caught_up_with(
    dying: Watching, mortal: KubernetesServer
) -> None:
    await make(dying.home, "one", "new")
    async with dying.watched():
        await dying.until_said("one new")
        await asyncio.to_thread(mortal.kill)
        await asyncio.to_thread(mortal.start)
        await surely(lambda: become(dying.home, "one", "ready"))
        await surely(lambda: make(dying.home, "two", "new"))
        said = await dying.until_said("one ready", "two new")
    assert said == ["one new", "one ready", "two new"]


async def test_a_server_that_hangs_is_left_and_caught_up_with(
    dying: Watching, mortal: KubernetesServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("hub.clients.kubernetes.watching.SILENCE_SECONDS", 1.0)
    await make(dying.home, "one", "new")
    async with running(dying.reflector().run()):
        await dying.until_said("one new")
        mortal.pause()
        async with asyncio.timeout(60):
            while dying.counted("interrupted_total") == 0:
                await asyncio.sleep(0.05)
        mortal.resume()
        await surely(lambda: make(dying.home, "two", "new"))
        async with running(dying.time.hurry()):
            said = await dying.until_said("two new")
    assert said == ["one new", "two new"]


async def test_a_store_that_is_taken_back_to_an_earlier_state_is_listed_anew(
    dying: Watching, mortal: KubernetesServer
) -> None:
    await make(dying.home, "one", "new")
    await asyncio.to_thread(halt, mortal)
    mortal.etcd.save()
    await asyncio.to_thread(mortal.start)
    async with dying.watched():
        await dying.until_said("one new")
        await surely(lambda: make(dying.home, "two", "new"))
        for number in range(REVISIONS_OF_A_START):
            await become(dying.home, "two", f"s-{number}")
        await dying.until_said(f"two s-{number}")
        await asyncio.to_thread(halt, mortal)
        mortal.etcd.restore()
        await asyncio.to_thread(mortal.start)
        await surely(lambda: make(dying.home, "three", "new"))
        said = await dying.until_said("two gone", "three new")
    assert said.count("one new") == said.count("two new") == said.count("three new") == 1


def halt(server: KubernetesServer) -> None:
    """Kill the API server and its store."""
    server.kill()
    server.etcd.kill()
