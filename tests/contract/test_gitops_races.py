"""Many bumps at once, and others who push to the same branch meanwhile."""

import asyncio
from collections.abc import AsyncIterator
from pathlib import Path

import pytest
from gitops_world import World, bump_of, call, kustomization, make_world, path_of, states

from hub.errors import TemporaryError
from hub.sandbox.faults import ResetAfterEffect, Slow
from hub.sandbox.git import git

SERVICES = [f"service-{number}" for number in range(50)]
RECEIVE = "git-receive-pack$"


@pytest.fixture
async def world(tmp_path: Path) -> AsyncIterator[World]:
    made = await make_world(tmp_path, "http")
    yield made
    await made.close()


@pytest.fixture(params=["file", "http"])
async def busy(request: pytest.FixtureRequest, tmp_path: Path) -> AsyncIterator[World]:
    made = await make_world(tmp_path, request.param, *SERVICES)
    yield made
    await made.close()


async def bump_200(world: World) -> None:
    """Four builds of each of fifty services, all asked for at once."""
    writer = world.writer()
    bumps = await asyncio.gather(
        *(
            writer.bump(bump_of(service, number), call(f"{service}/{number}"))
            for number in (2, 1, 4, 3)
            for service in SERVICES
        )
    )
    assert len({bump.commit for bump in bumps}) == 200
    assert all(states(bump) == {"dev": "bumped", "staging": "bumped"} for bump in bumps)


async def assert_all_landed(world: World) -> None:
    """Every file is what it was but for the image's scalars."""
    told = await git(world.repository.folder, "archive", "--format=tar", "refs/heads/main")
    for service in SERVICES:
        for environment, number in (("dev", 4), ("staging", 4), ("production", 0)):
            assert kustomization(service, environment, number).encode() in told


async def test_200_bumps_at_once_land_in_a_line_by_one_push(busy: World) -> None:
    begin = await busy.tip()
    await bump_200(busy)
    await assert_all_landed(busy)
    assert await busy.commits(begin) == 200
    assert busy.pushes() == 1


async def test_200_bumps_land_while_another_writer_pushes_too(busy: World) -> None:
    begin = await busy.tip()
    started = asyncio.Event()

    async def compete() -> None:
        for number in range(12):
            await busy.human("README.md", f"# {number}\n")
            started.set()

    async with asyncio.TaskGroup() as tasks:
        tasks.create_task(compete())
        await started.wait()
        await bump_200(busy)
    await assert_all_landed(busy)
    assert await busy.commits(begin) == 212
    assert busy.pushes() <= 3


async def test_bumps_that_arrive_during_a_push_go_together_into_the_next(world: World) -> None:
    held = world.faults.fail("git", Slow(), method="POST", path=RECEIVE, times=1)
    writer = world.writer()
    async with asyncio.TaskGroup() as tasks:
        tasks.create_task(writer.bump(bump_of("order-service", 1), call("1")))
        await held.met()
        for number in range(2, 6):
            tasks.create_task(writer.bump(bump_of("order-service", number), call(str(number))))
            tasks.create_task(writer.bump(bump_of("mail-service", number), call(f"m{number}")))
        await asyncio.sleep(0)
        held.clear()
    assert world.pushes() == 2
    assert await world.content("order-service") == kustomization("order-service", "dev", 5)


async def test_a_lost_race_is_decided_again_on_the_new_tip(world: World) -> None:
    begin = await world.tip()
    path = path_of("order-service", "dev")
    moved = "# Moved by hand\n" + kustomization("order-service", "dev", 0)
    writer = world.writer()
    bumping = None
    for attempt in range(3):
        held = world.faults.fail("git", Slow(), method="POST", path=RECEIVE, times=1)
        bumping = bumping or asyncio.create_task(writer.bump(bump_of("order-service", 1), call()))
        await held.met()
        await world.human(path, moved + f"# {attempt}\n")
        held.clear()
    bump = await bumping
    assert bump.commit == await world.tip()
    assert await world.commits(begin) == 4
    assert world.pushes() == 1
    expected = moved.replace("v0", "v1").replace("0" * 64, f"{1:064x}") + "# 2\n"
    assert await world.content("order-service") == expected


async def test_a_newer_build_that_another_replica_wrote_meanwhile_wins(
    world: World, tmp_path: Path
) -> None:
    replica = world.writer()
    world.state = tmp_path / "other-state"
    other = world.writer()
    held = world.faults.fail("git", Slow(), method="POST", path=RECEIVE, times=1)
    older = asyncio.create_task(replica.bump(bump_of("order-service", 1), call("older")))
    await held.met()
    newer = asyncio.create_task(other.bump(bump_of("order-service", 2), call("newer")))
    assert states(await newer) == {"dev": "bumped", "staging": "bumped"}
    held.clear()
    assert states(await older) == {"dev": "superseded", "staging": "superseded"}
    assert await world.content("order-service") == kustomization("order-service", "dev", 2)


async def test_two_replicas_that_bump_for_one_event_make_one_commit(
    world: World, tmp_path: Path
) -> None:
    begin = await world.tip()
    one = world.writer()
    world.state = tmp_path / "other-state"
    two = world.writer()
    bumps = await asyncio.gather(
        one.bump(bump_of("order-service", 1), call()), two.bump(bump_of("order-service", 1), call())
    )
    assert bumps[0].commit == bumps[1].commit == await world.tip()
    assert await world.commits(begin) == 1


async def test_who_always_comes_second_is_told_to_try_later(world: World) -> None:
    world.hook(
        "pre-receive",
        # A hook that moves the branch itself: every push is a moment too late.
        "unset GIT_QUARANTINE_PATH\n"
        "export GIT_AUTHOR_NAME=x GIT_AUTHOR_EMAIL=x GIT_COMMITTER_NAME=x GIT_COMMITTER_EMAIL=x\n"
        "new=$(git commit-tree -p main -m More main^{tree})\n"
        "git update-ref refs/heads/main $new",
    )
    with pytest.raises(TemporaryError, match="10 times in a row, the push to main did not land"):
        await world.writer().bump(bump_of("order-service", 1), call())
    assert await world.content("order-service") == kustomization("order-service", "dev", 0)


async def test_a_branch_that_was_wound_back_is_not_brought_back(world: World) -> None:
    begin = await world.tip()
    await world.human("SECRET", "let in by mistake\n")
    held = world.faults.fail("git", Slow(), method="POST", path=RECEIVE, times=1)
    bumping = asyncio.create_task(world.writer().bump(bump_of("order-service", 1), call()))
    await held.met()
    await world.repository.set_ref("refs/heads/main", begin)
    held.clear()
    assert states(await bumping) == {"dev": "bumped", "staging": "bumped"}
    assert await world.commits(begin) == 1
    assert "SECRET" not in await world.changed(begin)


async def test_a_push_whose_answer_was_lost_is_found_by_its_trailer(world: World) -> None:
    begin = await world.tip()
    lost = world.faults.fail("git", ResetAfterEffect(), method="POST", path=RECEIVE, times=1)
    bump = await world.writer().bump(bump_of("order-service", 1), call())
    assert lost.hits == 1
    assert bump.commit == await world.tip()
    assert states(bump) == {"dev": "bumped", "staging": "bumped"}
    assert await world.commits(begin) == 1
    assert world.pushes() == 1


async def test_a_caller_that_gave_up_finds_its_commit_at_the_next_attempt(world: World) -> None:
    begin = await world.tip()
    writer = world.writer()
    held = world.faults.fail("git", Slow(), method="POST", path=RECEIVE, times=1)
    gave_up = asyncio.create_task(writer.bump(bump_of("order-service", 1), call()))
    await held.met()
    gave_up.cancel()
    with pytest.raises(asyncio.CancelledError):
        await gave_up
    held.clear()
    bump = await writer.bump(bump_of("order-service", 1), call())
    assert bump.commit == await world.tip()
    assert await world.commits(begin) == 1


async def test_closing_ends_what_waits_and_leaves_no_process(world: World) -> None:
    writer = world.writer()
    held = world.faults.fail("git", Slow(), method="POST", path=RECEIVE, times=1)
    bumping = asyncio.create_task(writer.bump(bump_of("order-service", 1), call()))
    await held.met()
    await writer.close()
    with pytest.raises(TemporaryError, match="stopped"):
        await bumping
    with pytest.raises(TemporaryError, match="shutting down"):
        await writer.bump(bump_of("order-service", 1), call())
    assert not git_processes(world.clone)


def git_processes(clone: Path) -> list[str]:
    """The processes that work in this clone."""
    found = []
    for process in Path("/proc").glob("[0-9]*"):
        try:
            environment = (process / "environ").read_bytes()
        except OSError:
            continue
        if f"GIT_DIR={clone}".encode() in environment.split(b"\0"):
            found.append((process / "cmdline").read_text())
    return found
