"""A service's builds wait for each other where there is a limit; the cluster keeps count."""

import asyncio

import pytest
from story_platform import with_settings

from hub.sandbox.kubernetes import PIPELINE_RUNS


@pytest.fixture
def settings():
    return with_settings(kubernetes={"runs_per_service": 1})


def waiting(platform):
    """The commits whose runs are held back."""
    return [
        run["metadata"]["annotations"]["trunkline.dev/revision"]
        for run in platform.pipeline_runs()
        if run["spec"].get("status") == "PipelineRunPending"
    ]


async def pushed(platform, *messages):
    """Commits of which the first is being built."""
    platform.world.tekton.pace.hold()
    commits = []
    for message in messages:
        commits.append(await platform.world.push(branch="develop", message=message))
        await platform.hub_has_heard()
    return commits


async def test_a_second_build_waits_for_the_first_and_then_runs(platform):
    first, second, third = await pushed(platform, "One", "Two", "Three")
    assert waiting(platform) == [second.sha, third.sha]

    platform.world.tekton.pace.release()
    await platform.settled()

    assert waiting(platform) == []
    assert {*platform.states().values()} == {"Succeeded"}
    assert platform.states().keys() == {first.sha, second.sha, third.sha}


async def test_no_end_has_to_wait_for_the_next_look_at_what_waits(platform):
    await pushed(platform, "One", "Two", "Three", "Four")
    platform.world.tekton.pace.release()
    async with asyncio.timeout(30):
        await platform.settled()

    assert [*platform.states().values()] == ["Succeeded"] * 4


async def test_another_service_does_not_wait(platform):
    await platform.world.add_services(["billing"])
    await pushed(platform, "One")
    other = await platform.world.push("billing", branch="develop")
    await platform.hub_has_heard()

    assert waiting(platform) == []
    assert platform.states()[other.sha] == "Started"
    platform.world.tekton.pace.release()
    await platform.settled()


async def test_a_hub_that_was_down_when_a_run_ended_lets_the_next_one_begin(platform):
    """Nobody tells of the end: the run that waits is looked at again by itself."""
    _, second = await pushed(platform, "One", "Two")
    running = next(run for run in platform.pipeline_runs() if not run["spec"].get("status"))
    await platform.restart()
    metadata = running["metadata"]
    platform.world.cluster.delete(PIPELINE_RUNS, metadata["namespace"], metadata["name"])
    platform.world.tekton.pace.release()
    await platform.hub_is_idle()
    assert waiting(platform) == [second.sha]

    platform.clock.skip(61)
    await platform.until_state(second, "Succeeded")

    assert waiting(platform) == []


async def test_what_the_cluster_lost_count_of_is_counted_anew(platform):
    """Somebody cancels by hand what waits: it takes nobody's place."""
    _, second, third = await pushed(platform, "One", "Two", "Three")
    run = next(one for one in platform.pipeline_runs() if second.sha in str(one))
    metadata = run["metadata"]
    platform.world.cluster.patch(
        PIPELINE_RUNS,
        metadata["namespace"],
        metadata["name"],
        {"spec": {"status": "Cancelled"}},
    )
    platform.world.tekton.pace.release()
    await platform.settled()

    assert platform.states()[second.sha] == "Cancelled"
    assert platform.states()[third.sha] == "Succeeded"


async def test_the_wait_itself_is_told_on_the_log(platform):
    _, _second = await pushed(platform, "One", "Two")

    assert len(await platform.events("dev.trunkline.pipeline-run.queued")) == 1
    platform.world.tekton.pace.release()
    await platform.settled()
    assert await platform.dead_letters() == []
