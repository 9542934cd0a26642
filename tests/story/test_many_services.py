"""A morning on which everybody pushes at once."""

import asyncio

from story_platform import eventually, tag_of

SERVICES = tuple(f"service-{number:02}" for number in range(30))
FEW_PUSHES = 10
"""For 30 bumps that become due within moments of one another."""


async def test_thirty_services_that_are_pushed_at_once_all_land(platform):
    """T87, T96."""
    world = platform.world
    await world.add_services(SERVICES)
    await world.settled()
    world.tekton.pace.hold()
    commits = await asyncio.gather(*(world.push(service) for service in SERVICES))

    async def are_all_started():
        return len(platform.pipeline_runs()) == len(SERVICES)

    await eventually(are_all_started)
    world.tekton.pace.release()
    await platform.settled()

    for service, commit in zip(SERVICES, commits, strict=True):
        for environment in ("dev", "staging"):
            assert platform.running(environment, service=service) == tag_of(commit)
            assert platform.stage(environment, commit, service=service) == "healthy"
        assert platform.statuses(commit, repository=f"company/{service}")[-1] == "success"
    assert len(platform.messages()) == 2 * len(SERVICES)
    assert len(await platform.bumps()) == len(SERVICES)
    assert len(world.github.git.pushes) <= FEW_PUSHES
    assert not any(change.forced for change in world.gitops.changes)
    assert await platform.dead_letters() == []
