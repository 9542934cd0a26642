"""The watcher on the sandbox's API server, which can be told to fail."""

import asyncio
import tracemalloc
from collections.abc import AsyncIterator
from pathlib import Path

import pytest
from kubernetes_home import run_manifest
from kubernetes_sandbox_home import SandboxHome, sandbox_home
from watch_home import Watching, running, until
from watch_home import watching as opened_watching
from watch_suite import WatchSuite, become, make

from hub.sandbox.faults import Down, Status
from hub.sandbox.kubernetes import PIPELINE_RUNS

MANY = 10_000


@pytest.fixture
async def home(tmp_path: Path) -> AsyncIterator[SandboxHome]:
    async with sandbox_home(tmp_path) as opened:
        yield opened


@pytest.fixture
async def watching(home: SandboxHome, tmp_path: Path) -> AsyncIterator[Watching]:
    async with opened_watching(home, tmp_path) as opened:
        yield opened


class TestSandboxWatch(WatchSuite):
    pass


def asked(home: SandboxHome, verb: str) -> int:
    return [one.verb for one in home.api.requests].count(verb)


async def test_changes_that_were_forgotten_are_found_by_listing_anew(
    home: SandboxHome, watching: Watching
) -> None:
    for name in ("one", "two", "three"):
        await make(home, name, "new")
    async with watching.watched():
        await watching.until_said("one new", "two new", "three new")
        away = home.faults.fail("kubernetes", Status(status=500), method="GET")
        home.cluster.changes.disconnect()
        await home.remove("one")
        await home.remove("two")
        await make(home, "two", "new")
        await become(home, "three", "ready")
        home.cluster.changes.compact()
        await away.met()
        away.clear()
        await watching.until_said("one gone", "two gone", "three ready")
        await make(home, "last", "new")
        said = await watching.until_said("last new")
    expected = ["last new", "one gone", "one new", "three new", "three ready", "two gone"]
    assert sorted(said) == [*expected, "two new", "two new"]


async def test_a_stream_that_says_410_is_begun_anew(home: SandboxHome, watching: Watching) -> None:
    await make(home, "one", "new")
    async with watching.watched():
        await watching.until_said("one new")
        lists = asked(home, "list")
        home.cluster.changes.expire()
        await make(home, "two", "new")
        said = await watching.until_said("two new")
    assert said == ["one new", "two new"]
    assert asked(home, "list") == lists + 1


async def test_a_server_that_is_back_is_listed_at_once_however_long_it_was_away(
    home: SandboxHome, watching: Watching
) -> None:
    async with watching.watched():
        await until(lambda: _strings(range(asked(home, "watch"))), lambda seen: len(seen) == 1)
        away = home.faults.fail("kubernetes", Down(), path="pipelineruns")
        home.cluster.changes.disconnect()
        home.cluster.create(PIPELINE_RUNS, home.namespace, run_manifest("one", state="new"))
        home.cluster.changes.compact()
        await away.met(10)
        away.clear()
        await watching.until_said("one new")
    assert watching.counted("interrupted_total", why="expired") == 1
    assert watching.time.slept[-1] <= 1.0


async def test_a_list_that_is_forgotten_half_way_is_begun_anew(
    home: SandboxHome, watching: Watching, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("hub.clients.kubernetes.client.PAGE_OBJECTS", 2)
    for number in range(6):
        await make(home, f"run-{number}", "new")
    page = home.clients.kubernetes.page
    pages = 0

    async def forgetful(*args: object, **options: object) -> object:
        nonlocal pages
        pages += 1
        if pages == 2:
            await make(home, "late", "new")
            home.cluster.changes.compact()
        return await page(*args, **options)  # type: ignore[arg-type]

    monkeypatch.setattr(home.clients.kubernetes, "page", forgetful)
    async with watching.watched():
        said = await watching.until_said("run-5 new", "late new")
    assert sorted(said) == ["late new", *[f"run-{number} new" for number in range(6)]]


@pytest.mark.parametrize(
    "fault", [Status(status=500), Status(status=503), Status(status=403), Down()], ids=str
)
async def test_a_server_that_fails_is_asked_again_but_not_often(
    home: SandboxHome, watching: Watching, fault: Status | Down
) -> None:
    failing = home.faults.fail("kubernetes", fault, path="pipelineruns")
    began = watching.time.now
    async with watching.watched():
        await failing.met(30, timeout=60)
        minutes = (watching.time.now - began) / 60
        assert watching.counted("interrupted_total") / minutes <= 10
        failing.clear()
        await make(home, "one", "new")
        await watching.until_said("one new")


async def test_a_server_that_is_overloaded_says_when_to_come_back(
    home: SandboxHome, watching: Watching
) -> None:
    await make(home, "one", "new")
    home.faults.fail("kubernetes", Status(status=429, retry_after=40), path="pipelineruns", times=1)
    async with running(watching.reflector().run()):
        await until(lambda: _strings(watching.time.slept), lambda slept: slept != [])
        assert watching.time.slept[0] >= 40
        home.clients.time.now += 40
        await watching.time.move(watching.time.slept[0])
        await watching.until_said("one new")


async def test_a_server_that_ends_every_watch_at_once_is_not_asked_often(
    home: SandboxHome, watching: Watching
) -> None:
    async def end_at_once() -> None:
        while True:
            home.cluster.changes.disconnect()
            await asyncio.sleep(0)

    began = watching.time.now
    async with watching.watched(), running(end_at_once()):
        await until(lambda: _strings(range(asked(home, "watch"))), lambda seen: len(seen) >= 12)
    minutes = (watching.time.now - began) / 60
    assert asked(home, "watch") / max(minutes, 1) <= 12


async def test_a_silent_server_is_left_and_nothing_is_missed(
    home: SandboxHome, watching: Watching, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("hub.clients.kubernetes.watching.SILENCE_SECONDS", 0.2)
    async with watching.watched():
        await until(lambda: _strings(range(asked(home, "watch"))), lambda seen: len(seen) >= 3)
        await make(home, "one", "new")
        said = await watching.until_said("one new")
    assert said == ["one new"]
    assert watching.counted("interrupted_total", why="expired") == 0


async def test_ten_thousand_objects_are_told_of_and_take_little_memory(
    home: SandboxHome, watching: Watching
) -> None:
    padding = {"padding": "x" * 4_000}
    for number in range(MANY):
        manifest = run_manifest(f"run-{number:05}", state="new")
        manifest["metadata"]["annotations"] = padding
        home.cluster.create(PIPELINE_RUNS, home.namespace, manifest)
    tracemalloc.start()
    async with watching.watched():
        async with asyncio.timeout(300):
            while len(watching.memory) < MANY:
                await asyncio.sleep(0.05)
        held, peak = tracemalloc.get_traced_memory()
        tracemalloc.stop()
        home.cluster.changes.expire()
        await become(home, "run-00000", "ready")
        await watching.until_said("run-00000 ready")
    said = await watching.said()
    assert len(said) == len(set(said)) == MANY + 1
    assert held < 40 << 20
    assert peak < 80 << 20


async def _strings(values: object) -> list[str]:
    return [str(value) for value in values]  # type: ignore[attr-defined]
