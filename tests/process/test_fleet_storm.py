"""Everything that a fleet stands on fails in turn, and the world is as if nothing had.

`TRUNKLINE_KILLS` says how often, `TRUNKLINE_SEED` where the dice begin.
"""

import asyncio
import os
import random
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, replace
from pathlib import Path

import pytest
from fleet import LEASE_SECONDS, Fleet, fleet, ground, of_world
from served import Served, let_pass
from servers.kafka import kafka_cluster
from servers.postgres import postgres
from servers.proxy import Proxy, proxy
from storm import Storm
from test_serve_killed import (
    ARGOCD_RETRY_SECONDS,
    assert_everything_acknowledged_was_handled,
    assert_everything_was_done_once,
    in_calm,
)

from hub.sandbox.world import World

ROUNDS = int(os.environ.get("TRUNKLINE_KILLS", "8"))
SEED = int(os.environ.get("TRUNKLINE_SEED", "1"))


async def _nothing() -> None:
    """Leave it to itself."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Trouble:
    """Something that fails, and how it comes back."""

    name: str
    begins: Callable[[], Awaitable[None]]
    ends: Callable[[], Awaitable[None]] = _nothing


class TroubledFleet(Fleet):
    """A fleet that meets one trouble after the other."""

    def __init__(self, whole: Fleet, troubles: list[Trouble], *, seed: int) -> None:
        super().__init__(whole.on, whole.receivers, whole.workers)
        self._troubles = troubles
        self._dice = random.Random(seed)
        self._order: list[Trouble] = []
        self.met: list[str] = []

    async def kill(self) -> None:
        if not self._order:
            self._order = self._dice.sample(self._troubles, len(self._troubles))
        self.met.append(self._order[-1].name)
        await self._order[-1].begins()

    async def spawn(self) -> None:
        await self._order.pop().ends()


def death_of(member: Served, name: str) -> Trouble:
    return Trouble(name=f"{name} is killed", begins=member.kill, ends=member.spawn)


def pause_of(member: Served, name: str) -> Trouble:
    async def begin() -> None:
        member.pause()
        await let_pass(LEASE_SECONDS + 1.0)

    async def end() -> None:
        member.resume()

    return Trouble(name=f"{name} is paused for longer than its lease", begins=begin, ends=end)


def cut_of(line: Proxy) -> Trouble:
    async def begin() -> None:
        # In the middle of whatever is being committed: it is done, and nobody hears of it.
        line.cut_after(0)

    return Trouble(name="the connections to PostgreSQL are cut", begins=begin)


def blocking(work: Callable[[], None]) -> Callable[[], Awaitable[None]]:
    async def aside() -> None:
        await asyncio.to_thread(work)

    return aside


@asynccontextmanager
async def in_trouble(folder: Path) -> AsyncIterator[tuple[Storm, TroubledFleet]]:
    """Make a world and a fleet in it, on servers of their own that may be killed."""
    scratch = folder / "world"
    scratch.mkdir(parents=True)
    with kafka_cluster() as kafka, postgres() as database:
        async with (
            World(scratch=scratch, notification_retry_seconds=ARGOCD_RETRY_SECONDS) as world,
            proxy(to_port=database.port) as line,
        ):
            direct = ground(kafka.address, database)
            on = replace(
                direct, postgres=direct.postgres.replace(str(database.port), str(line.port))
            )
            async with fleet(folder, on, writer_for=of_world(world)) as whole:
                troubles = [
                    *(death_of(one, f"worker {n}") for n, one in enumerate(whole.workers)),
                    *(death_of(one, f"receiver {n}") for n, one in enumerate(whole.receivers)),
                    pause_of(whole.workers[0], "worker 0"),
                    cut_of(line),
                    Trouble(
                        name="PostgreSQL is killed",
                        begins=blocking(database.kill),
                        ends=blocking(database.start),
                    ),
                    Trouble(
                        name="Kafka is killed",
                        begins=blocking(kafka.brokers[0].kill),
                        ends=blocking(kafka.brokers[0].start),
                    ),
                ]
                troubled = TroubledFleet(whole, troubles, seed=SEED)
                yield Storm(world, troubled, seed=SEED), troubled


@pytest.mark.timeout(240 + 30 * ROUNDS)
async def test_a_fleet_in_trouble_leaves_the_world_as_it_had_to_be(
    servers: None, tmp_path: Path
) -> None:
    """I1 to I3, I11."""
    async with in_trouble(tmp_path / "trouble") as (raging, hub):
        await raging.begin()
        await raging.rage(ROUNDS, killing=True)
        await raging.settle()
        await assert_everything_acknowledged_was_handled(raging)
        await assert_everything_was_done_once(raging)
        after_storm = await raging.end_state()
        assert await hub.stop() == [0] * 4
    assert after_storm == await in_calm(tmp_path / "calm"), hub.met
