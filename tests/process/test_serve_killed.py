"""The process is killed at random moments under load, and the world is as if it had not been.

`TRUNKLINE_KILLS` says how often, `TRUNKLINE_SEED` where the dice begin.
"""

import os
from collections import Counter
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import pytest
from storm import EndState, Storm, bumps_in
from surroundings import in_world

from handlers import HANDLERS
from hub.dispatch.routing import Wanted, decide
from hub.journal.interface import RunState

KILLS = int(os.environ.get("TRUNKLINE_KILLS", "8"))
SEED = int(os.environ.get("TRUNKLINE_SEED", "1"))

ARGOCD_RETRY_SECONDS = 1.0
"""Argo CD's own, which outlives a restart."""


@asynccontextmanager
async def storm(folder: Path) -> AsyncIterator[Storm]:
    async with in_world(folder, notification_retry_seconds=ARGOCD_RETRY_SECONDS) as (world, hub):
        yield Storm(world, hub, seed=SEED)


async def in_calm(folder: Path) -> EndState:
    """Play the same without a kill."""
    async with storm(folder) as calm:
        await calm.begin()
        await calm.rage(KILLS, killing=False)
        await calm.settle()
        return await calm.end_state()


@pytest.mark.timeout(120 + 15 * KILLS)
async def test_a_process_killed_again_and_again_leaves_the_world_as_it_had_to_be(
    tmp_path: Path,
) -> None:
    """T68, T78, T119, I1 to I3."""
    async with storm(tmp_path / "storm") as raging:
        await raging.begin()
        await raging.rage(KILLS, killing=True)
        await raging.settle()
        await assert_everything_acknowledged_was_handled(raging)
        await assert_everything_was_done_once(raging)
        after_storm = await raging.end_state()
        assert await raging.hub.stop() == 0
    assert after_storm == await in_calm(tmp_path / "calm")


async def assert_everything_acknowledged_was_handled(raging: Storm) -> None:
    webhooks = raging.world.github.webhooks.deliveries.values()
    acknowledged = {one.guid for one in webhooks if one.accepted and one.event != "ping"}
    async with raging.hub.files() as files:
        records = await files.bus.read(after=None, limit=1_000_000)
        runs = await files.journal.runs(limit=1_000_000)
    assert raging.acknowledged | acknowledged <= {one.envelope.id for one in records}
    events = {(one.envelope.source, one.envelope.id): one.envelope for one in records}
    wanted = Counter(
        (handler.name, *key)
        for key, envelope in events.items()
        for handler, decision in decide(HANDLERS, envelope)
        if isinstance(decision, Wanted)
    )
    assert Counter((run.handler, run.event_source, run.event_id) for run in runs) == wanted
    assert {run.state for run in runs} == {RunState.DONE, RunState.SKIPPED}
    assert any(run.attempts > 1 for run in runs), "no kill came in the middle of anything"


async def assert_everything_was_done_once(raging: Storm) -> None:
    """Assert on what must not be repeated; the end state tells whether it was done at all."""
    world = raging.world
    built = [
        run["metadata"]["annotations"]["trunkline.dev/revision"]
        for run in world.cluster.pipeline_runs()
    ]
    assert sorted(built) == sorted(commit.sha for commit in raging.commits.values())
    bumps = await bumps_in(world.gitops.folder)
    bumped = Counter((bump["Trunkline-Service"], bump["Trunkline-Revision"]) for bump in bumps)
    assert set(bumped.values()) == {1}
    last = {name.partition("#")[0]: one.sha for name, one in raging.commits.items()}
    assert {*last.items()} <= {*bumped}
    titles = [one.text.partition("\n")[0] for one in world.slack.messages("#deployments")]
    deployments = [(title.partition(":")[0], title[-8:]) for title in titles]
    assert len(set(deployments)) == len(deployments), "a message was posted twice"
