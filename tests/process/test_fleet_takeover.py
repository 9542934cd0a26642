"""A worker that is gone in the middle of a run is followed by another, and does no harm later."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from functools import partial
from pathlib import Path

import asyncpg
import pytest
from fleet import Fleet, fleet, ground, of_world
from served import Served, eventually
from servers.kafka import KafkaCluster
from servers.postgres import PostgresServer

from hub.journal.interface import RunState
from hub.sandbox.faults import Fault, Slow
from hub.sandbox.world import World

CREATION = r"/pipelineruns$"


@asynccontextmanager
async def held_in_a_creation(
    kafka: KafkaCluster, postgres: PostgresServer, folder: Path
) -> AsyncIterator[tuple[World, Fleet, Fault]]:
    """Have a worker stand in the middle of creating the PipelineRun of a push."""
    scratch = folder / "world"
    scratch.mkdir()
    async with (
        World(scratch=scratch) as world,
        fleet(
            folder, ground(kafka.address, postgres), receivers=1, writer_for=of_world(world)
        ) as hub,
    ):
        await hub.start()
        world.connect(hub.url)
        held = world.faults.fail("kubernetes", Slow(), method="POST", path=CREATION)
        await world.push()
        await held.met(timeout=30)
        yield world, hub, held


async def who_took_over(hub: Fleet) -> Served:
    async def found() -> list[Served]:
        return [worker for worker in hub.workers if worker.said("runs_taken_over")]

    (worker,) = await eventually(found)
    return worker


async def all_is_done(world: World, hub: Fleet) -> None:
    async with hub.files() as files:

        async def holds() -> bool:
            before = await files.bus.recent(1)
            await world.settled()
            return await files.quiet() and before == await files.bus.recent(1)

        await eventually(holds)
        runs = await files.journal.runs(limit=10_000)
        assert {run.state for run in runs} == {RunState.DONE, RunState.SKIPPED}
        (build,) = [run for run in runs if run.handler == "start_pipeline_run" and not run.detail]
        attempts = await files.journal.attempts(build.id)
    assert [one.number for one in attempts] == [1, 2]
    assert "stopped in the middle of it" in attempts[0].detail
    assert len(world.cluster.pipeline_runs()) == 1
    titles = [one.text.partition(":")[0] for one in world.slack.messages("#deployments")]
    assert len(titles) == len(set(titles))


@pytest.mark.timeout(180)
async def test_a_run_of_a_worker_that_is_killed_in_it_is_done_by_another_and_once(
    kafka_server: KafkaCluster, postgres_server: PostgresServer, tmp_path: Path
) -> None:
    """I3. The creation that the dead one had asked for happens too, and late."""
    async with held_in_a_creation(kafka_server, postgres_server, tmp_path) as (world, hub, held):
        executing = await who_executes(hub)
        await executing.kill()
        await held.met(2, timeout=60)
        held.clear()
        assert await who_took_over(hub) is not executing
        await all_is_done(world, hub)


@pytest.mark.timeout(180)
async def test_a_worker_that_was_paused_for_too_long_finds_its_run_done_by_another(
    kafka_server: KafkaCluster, postgres_server: PostgresServer, tmp_path: Path
) -> None:
    """I3, I15."""
    async with held_in_a_creation(kafka_server, postgres_server, tmp_path) as (world, hub, held):
        executing = await who_executes(hub)
        executing.pause()
        await held.met(2, timeout=60)
        held.clear()
        assert await who_took_over(hub) is not executing
        executing.resume()
        await eventually(partial(_has_said, executing, "run_taken_over"))
        await all_is_done(world, hub)
        assert await hub.stop() == [0] * 3


async def who_executes(hub: Fleet) -> Served:
    """Return the worker that the one running run names."""
    connection = await asyncpg.connect(
        hub.on.postgres, password=hub.on.password_file.read_text().strip()
    )
    name = await connection.fetchval("SELECT worker FROM runs WHERE state = 'running'")
    await connection.close()
    (worker,) = [one for one in hub.workers if name.endswith(f"/{one.process.pid}")]
    return worker


async def _has_said(worker: Served, event: str) -> bool:
    return bool(worker.said(event))
