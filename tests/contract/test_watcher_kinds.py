"""Kinds come and go while they are watched, and one API server that refuses is asked again."""

import asyncio
from collections.abc import AsyncIterator, Sequence
from dataclasses import replace
from pathlib import Path

import pytest
from kubernetes_sandbox_home import SandboxHome, sandbox_home
from watch_home import KIND, NOON, PATIENCE, STUCK_SECONDS, Watching, running, see
from watch_home import watching as opened_watching
from watch_suite import make

from hub.errors import TemporaryError
from hub.settings import WatcherSettings
from hub.sources import argocd, crossplane, tekton
from hub.watcher import Election, Kinds, Lease, WatchedKind, Watcher
from hub.watcher.watcher import LOOK_SECONDS


class Wanted:
    """What is to be watched, as a test changes it."""

    def __init__(self, *kinds: WatchedKind) -> None:
        self.kinds: Sequence[WatchedKind] = kinds
        self.is_known = True
        self.looks = 0

    async def find(self) -> Sequence[WatchedKind]:
        self.looks += 1
        if not self.is_known:
            raise TemporaryError("the Kubernetes API is away")
        return self.kinds

    async def until_found_again(self) -> None:
        """Wait until what is wanted now has been taken in."""
        seen = self.looks
        async with asyncio.timeout(PATIENCE):
            while self.looks < seen + 2:
                await asyncio.sleep(0.01)


@pytest.fixture
async def home(tmp_path: Path) -> AsyncIterator[SandboxHome]:
    async with sandbox_home(tmp_path) as opened:
        yield opened


@pytest.fixture
async def watching(home: SandboxHome, tmp_path: Path) -> AsyncIterator[Watching]:
    async with opened_watching(home, tmp_path) as opened:
        yield opened


def runs_of(home: SandboxHome) -> WatchedKind:
    return WatchedKind(found=KIND, namespace=home.namespace, see=see)


def watcher(watching: Watching, wanted: Wanted) -> Watcher:
    return Watcher(
        find=wanted.find,
        election=Election(
            Lease(namespace=watching.home.namespace, name="watcher", holder="test"),
            kubernetes=watching.home.clients.kubernetes,
            wall=lambda: watching.time.now,
            monotonic=lambda: watching.time.now,
            sleep=watching.time.sleep,
        ),
        around=watching.around,
        remember=watching.fresh_memory,
    )


async def test_a_kind_that_comes_is_watched_and_one_that_comes_again_is_caught_up_with(
    home: SandboxHome, watching: Watching
) -> None:
    wanted = Wanted()
    await make(home, "one", "new")
    async with running(watcher(watching, wanted).run(), watching.time.hurry()):
        wanted.kinds = (runs_of(home),)
        await watching.until_said("one new")
        wanted.kinds = ()
        await wanted.until_found_again()
        await home.remove("one")
        await make(home, "two", "new")
        assert await watching.said() == ["one new"]
        wanted.kinds = (runs_of(home),)
        said = await watching.until_said("one gone", "two new")
    assert sorted(said) == ["one gone", "one new", "two new"]


async def test_while_nobody_knows_the_kinds_those_that_were_known_are_watched(
    home: SandboxHome, watching: Watching
) -> None:
    wanted = Wanted(runs_of(home))
    await make(home, "one", "new")
    async with running(watcher(watching, wanted).run(), watching.time.hurry()):
        await watching.until_said("one new")
        wanted.is_known = False
        await wanted.until_found_again()
        await make(home, "two", "new")
        said = await watching.until_said("two new")
    assert said == ["one new", "two new"]


async def test_kinds_that_nobody_knows_yet_are_soon_asked_for_again(
    home: SandboxHome, watching: Watching
) -> None:
    wanted = Wanted(runs_of(home))
    wanted.is_known = False
    await make(home, "one", "new")
    async with running(watcher(watching, wanted).run(), watching.time.hurry()):
        await wanted.until_found_again()
        assert max(watching.time.slept) < LOOK_SECONDS
        wanted.is_known = True
        await watching.until_said("one new")


async def test_what_waits_for_too_long_is_told_of_in_time(
    home: SandboxHome, watching: Watching
) -> None:
    await make(home, "one", "waiting")
    async with running(watcher(watching, Wanted(runs_of(home))).run(), watching.time.hurry()):
        await watching.until_said("one stuck")
    assert watching.time.now >= NOON + STUCK_SECONDS


def heard(watching: Watching, kind: WatchedKind) -> float | None:
    return watching.metrics.registry.get_sample_value(
        "trunkline_watcher_heard_timestamp_seconds", {"kind": kind.name}
    )


async def test_a_kind_that_may_not_be_listed_is_known_to_be_silent(
    home: SandboxHome, watching: Watching
) -> None:
    kind = replace(runs_of(home), namespace=home.elsewhere)
    wanted = Wanted(kind, runs_of(home))
    await make(home, "one", "new")
    async with running(watcher(watching, wanted).run(), watching.time.hurry()):
        await watching.until_said("one new")
        begun = heard(watching, kind)
        await wanted.until_found_again()
        assert begun is not None
        assert heard(watching, kind) == begun
        wanted.kinds = (runs_of(home),)
        await wanted.until_found_again()
        assert heard(watching, kind) is None
        assert heard(watching, runs_of(home)) is not None


async def test_the_settings_say_which_kinds_and_where(home: SandboxHome) -> None:
    kubernetes = home.clients.kubernetes

    async def kinds(**settings: tuple[str, ...]) -> set[tuple[str, str | None, object]]:
        found = await Kinds(kubernetes, WatcherSettings(**settings)).find()
        return {(one.name, one.namespace, one.see) for one in found}

    assert await kinds() == set()
    assert await kinds(groups=("nobody.example.com",)) == set()
    assert await kinds(groups=("platform.company.com",)) == {
        (f"{plural}.platform.company.com", None, crossplane.see_composite)
        for plural in ("postgresqlinstances", "s3buckets", "sqsqueues")
    }
    assert await kinds(managed=("rds.aws.m.upbound.io",)) == {
        ("instances.rds.aws.m.upbound.io", None, crossplane.see_managed)
    }
    assert await kinds(pipeline_runs=("ci", "forks"), applications=("*",)) == {
        ("pipelineruns.tekton.dev/ci", "ci", tekton.see),
        ("pipelineruns.tekton.dev/forks", "forks", tekton.see),
        ("applications.argoproj.io", None, argocd.see),
    }
