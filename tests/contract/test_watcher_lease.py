"""Of several processes one watches: a Lease on the sandbox's API server says which."""

import asyncio
from collections.abc import AsyncIterator
from pathlib import Path

import orjson
import pytest
from kubernetes_home import LEASES
from kubernetes_sandbox_home import SandboxHome, sandbox_home
from watch_home import PATIENCE, Time, running, until

from hub.sandbox.faults import Down
from hub.watcher import Election, Lease
from hub.watcher.lease import GIVE_UP_SECONDS, LEASE_SECONDS

NAME = "watcher"


class Candidates:
    """Processes that want to watch, a clock for all of them, and who has watched since when."""

    def __init__(self, home: SandboxHome) -> None:
        self.home = home
        self.time = Time(also=self._move_client)
        self.began: list[tuple[str, float]] = []
        self.working: set[str] = set()

    def _move_client(self, seconds: float) -> None:
        self.home.clients.time.now += seconds

    async def run(self, holder: str) -> None:
        election = Election(
            Lease(namespace=self.home.namespace, name=NAME, holder=holder),
            kubernetes=self.home.clients.kubernetes,
            wall=lambda: self.time.now,
            monotonic=lambda: self.time.now,
            sleep=self.time.sleep,
        )
        await election.lead(lambda: self._watch(holder), told=lambda _leads: None)

    async def _watch(self, holder: str) -> None:
        self.began.append((holder, self.time.now))
        self.working.add(holder)
        try:
            await asyncio.Event().wait()
        finally:
            self.working.discard(holder)

    async def until_working(self, *holders: str) -> None:
        async def look() -> list[str]:
            return sorted(self.working)

        await until(look, lambda working: working == list(holders))

    async def holder(self) -> str:
        body = await self.home.clients.kubernetes.get(
            LEASES, namespace=self.home.namespace, name=NAME
        )
        return str(orjson.loads(body or b"")["spec"]["holderIdentity"])

    async def pass_time(self, seconds: float) -> None:
        """Let time pass second by second, as who sleeps would see it."""
        async with asyncio.timeout(PATIENCE):
            for _ in range(int(seconds)):
                await self.time.move(1.0)
                await asyncio.sleep(0.05)


@pytest.fixture
async def candidates(tmp_path: Path) -> AsyncIterator[Candidates]:
    async with sandbox_home(tmp_path) as home:
        yield Candidates(home)


async def test_one_of_two_works_and_the_other_once_that_has_stopped(candidates: Candidates) -> None:
    async with running(candidates.run("b")):
        await candidates.until_working("b")
        async with running(candidates.run("a")):
            await candidates.pass_time(2 * LEASE_SECONDS)
            assert candidates.working == {"b"}
    began = candidates.time.now
    assert await candidates.holder() == ""

    async with running(candidates.run("c")):
        await candidates.until_working("c")
    assert candidates.began == [("b", candidates.began[0][1]), ("c", began)]


async def test_who_dies_is_followed_once_the_lease_has_run_out(candidates: Candidates) -> None:
    async with running(candidates.run("a")):
        await candidates.until_working("a")
        # So it cannot give the lease up, as nobody can who is killed.
        away = candidates.home.faults.fail("kubernetes", Down())
    away.clear()
    assert await candidates.holder() == "a"

    died = candidates.time.now
    async with running(candidates.run("b"), candidates.time.hurry()):
        await candidates.until_working("b")
    assert candidates.began[-1][1] - died >= LEASE_SECONDS


async def test_who_cannot_renew_stops_before_another_may_begin(candidates: Candidates) -> None:
    async with running(candidates.run("a")):
        await candidates.until_working("a")
        away = candidates.home.faults.fail("kubernetes", Down())
        await candidates.pass_time(GIVE_UP_SECONDS / 2)
        assert candidates.working == {"a"}
        await candidates.pass_time(LEASE_SECONDS - GIVE_UP_SECONDS / 2)
        assert candidates.working == set()
        away.clear()
        async with running(candidates.time.hurry()):
            await candidates.until_working("a")


async def test_a_lease_that_somebody_else_took_is_lost(candidates: Candidates) -> None:
    async with running(candidates.run("a"), candidates.time.hurry()):
        await candidates.until_working("a")
        await _give_to(candidates, "somebody")
        await candidates.until_working()
    assert await candidates.holder() == "somebody"


async def _give_to(candidates: Candidates, holder: str) -> None:
    kubernetes, namespace = candidates.home.clients.kubernetes, candidates.home.namespace
    async with asyncio.timeout(PATIENCE):
        while True:
            found = orjson.loads(
                await kubernetes.get(LEASES, namespace=namespace, name=NAME) or b""
            )
            found["spec"]["holderIdentity"] = holder
            manifest = orjson.dumps(found)
            if await kubernetes.replace(LEASES, namespace=namespace, name=NAME, manifest=manifest):
                return
