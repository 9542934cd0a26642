"""What the gitops writer makes of refusals, of broken clones and of a remote that is away."""

import asyncio
import shutil
from collections.abc import AsyncIterator, Callable
from pathlib import Path

import pytest
from aiohttp import web
from gitops_world import (
    TOKEN,
    World,
    bump_of,
    call,
    kustomization,
    make_world,
    states,
)

from hub.actions.gitops import Bump
from hub.errors import PermanentError, TemporaryError
from hub.sandbox.faults import Down, Status
from hub.sandbox.git import git
from hub.sandbox.loopback import Loopback

SERVICES = [f"service-{number}" for number in range(12)]


@pytest.fixture(params=["file", "http"])
async def world(request: pytest.FixtureRequest, tmp_path: Path) -> AsyncIterator[World]:
    made = await make_world(tmp_path, request.param, "order-service", *SERVICES)
    yield made
    await made.close()


@pytest.fixture
async def http(tmp_path: Path) -> AsyncIterator[World]:
    made = await make_world(tmp_path, "http")
    yield made
    await made.close()


@pytest.fixture
async def local(tmp_path: Path) -> AsyncIterator[World]:
    made = await make_world(tmp_path, "file")
    yield made
    await made.close()


async def assert_bumps(world: World, number: int = 9) -> None:
    """The next bump lands, whatever was before."""
    bump = await world.writer().bump(bump_of("order-service", number), call(f"at last {number}"))
    assert states(bump) == {"dev": "bumped", "staging": "bumped"}
    assert bump.commit == await world.tip()
    assert await world.content("order-service") == kustomization("order-service", "dev", number)


async def test_a_push_that_a_hook_denies_is_final_and_says_why(world: World) -> None:
    begin = await world.tip()
    world.hook("pre-receive", "echo 'GH006: Protected branch update failed' >&2; exit 1")
    with pytest.raises(PermanentError, match=r"hook declined.*GH006: Protected branch"):
        await world.writer().bump(bump_of("order-service", 1), call())
    assert await world.tip() == begin


async def test_of_a_batch_only_what_the_other_side_does_not_want_is_denied(world: World) -> None:
    begin = await world.tip()
    world.hook(
        "pre-receive",
        "while read old new ref; do\n"
        "  git log --format=%s $old..$new | grep -q service-7 && exit 1\n"
        "done\nexit 0",
    )
    writer = world.writer()
    outcomes = await asyncio.gather(
        *(writer.bump(bump_of(service, 1), call(service)) for service in SERVICES),
        return_exceptions=True,
    )
    denied = [s for s, one in zip(SERVICES, outcomes, strict=True) if not isinstance(one, Bump)]
    assert denied == ["service-7"]
    assert isinstance(outcomes[7], PermanentError)
    assert await world.commits(begin) == len(SERVICES) - 1


async def test_a_branch_that_takes_nothing_is_not_hammered(tmp_path: Path) -> None:
    services = [f"service-{number}" for number in range(40)]
    world = await make_world(tmp_path, "file", *services)
    counted = tmp_path / "denied"
    world.hook("pre-receive", f"echo x >> {counted}; exit 1")
    writer = world.writer()
    outcomes = await asyncio.gather(
        *(writer.bump(bump_of(service, 1), call(service)) for service in services),
        return_exceptions=True,
    )
    await world.close()
    assert all(isinstance(one, PermanentError) for one in outcomes)
    assert len(await asyncio.to_thread(counted.read_bytes)) < 2 * len(services)


@pytest.mark.parametrize("status", [401, 403, 404])
@pytest.mark.parametrize("path", ["info/refs$", "git-receive-pack$"])
async def test_a_remote_that_refuses_is_final_and_names_the_token(
    http: World, status: int, path: str
) -> None:
    http.faults.fail("git", Status(status=status), path=path)
    with pytest.raises(PermanentError, match="gitops repository refuses") as refusal:
        await http.writer().bump(bump_of("order-service", 1), call())
    assert str(http.token_file) in str(refusal.value)
    assert TOKEN not in str(refusal.value)
    http.faults.clear()
    await assert_bumps(http)


@pytest.mark.parametrize("fault", [Status(status=503), Status(status=429), Down()])
@pytest.mark.parametrize("path", ["info/refs$", "git-upload-pack$", "git-receive-pack$"])
async def test_a_remote_that_is_away_is_tried_again_later(
    http: World, fault: Status | Down, path: str
) -> None:
    http.faults.fail("git", fault, path=path)
    with pytest.raises(TemporaryError):
        await http.writer().bump(bump_of("order-service", 1), call())
    http.faults.clear()
    await assert_bumps(http)


async def test_a_port_where_nobody_listens_is_tried_again_later(http: World) -> None:
    await http.http.stop()
    with pytest.raises(TemporaryError, match="cannot be reached"):
        await http.writer().bump(bump_of("order-service", 1), call())


async def test_a_branch_that_is_not_there_is_final(world: World) -> None:
    with pytest.raises(PermanentError, match="couldn't find remote ref refs/heads/release"):
        await world.writer(branch="release").bump(bump_of("order-service", 1), call())


async def test_a_repository_that_is_not_there_is_final(world: World) -> None:
    url = world.url.replace("gitops.git", "elsewhere.git")
    with pytest.raises(PermanentError, match="the gitops repository refuses"):
        await world.writer(url=url).bump(bump_of("order-service", 1), call())


async def test_a_token_that_was_swapped_is_used(http: World) -> None:
    http.token_file.write_text("ghs_wrong_0123456789012345678901234567890")
    writer = http.writer()
    with pytest.raises(PermanentError, match="refuses") as refusal:
        await writer.bump(bump_of("order-service", 1), call("first"))
    assert "ghs_wrong" not in str(refusal.value)
    http.token_file.write_text(TOKEN)
    await assert_bumps(http)


async def test_the_token_goes_to_its_repository_alone(http: World) -> None:
    """A redirect to another place is not followed, so the credential does not get there."""
    seen: list[str | None] = []

    async def catch(request: web.Request) -> web.Response:
        seen.append(request.headers.get("Authorization"))
        return web.Response(status=404)

    app = web.Application()
    app.router.add_route("*", "/{tail:.*}", catch)
    elsewhere = Loopback(app)
    url = await elsewhere.start()
    moved = Status(status=302, headers=(("Location", f"{url}/company/gitops.git/info/refs"),))
    http.faults.fail("git", moved)
    with pytest.raises(PermanentError, match="refuses"):
        await http.writer().bump(bump_of("order-service", 1), call())
    await elsewhere.stop()
    assert seen == []


def lock_the_tip(clone: Path) -> None:
    (clone / "refs" / "trunkline" / "tip.lock").touch()


def lock_everything(clone: Path) -> None:
    for name in ("packed-refs.lock", "config.lock", "HEAD.lock", "shallow.lock", "index.lock"):
        (clone / name).touch()


def lose_objects(clone: Path) -> None:
    shutil.rmtree(clone / "objects")
    (clone / "objects").mkdir()


def truncate_objects(clone: Path) -> None:
    for file in (clone / "objects").rglob("*"):
        if file.is_file():
            file.chmod(0o600)
            file.write_bytes(file.read_bytes()[:10])


def garble_the_tip(clone: Path) -> None:
    (clone / "refs" / "trunkline" / "tip").write_text("nonsense\n")


def lose_the_config(clone: Path) -> None:
    (clone / "config").write_text("[core\n")


def leave_half_of_it(clone: Path) -> None:
    for name in ("objects", "refs", "config"):
        file = clone / name
        if file.is_dir():
            shutil.rmtree(file)
        else:
            file.unlink()


def put_a_file_in_its_place(clone: Path) -> None:
    shutil.rmtree(clone)
    clone.write_text("not a repository")


@pytest.mark.parametrize(
    "damage",
    [
        shutil.rmtree,
        lock_the_tip,
        lock_everything,
        lose_objects,
        truncate_objects,
        garble_the_tip,
        lose_the_config,
        leave_half_of_it,
        put_a_file_in_its_place,
    ],
)
@pytest.mark.parametrize("restart", [True, False])
async def test_a_damaged_clone_is_made_anew(
    local: World, damage: Callable[[Path], None], *, restart: bool
) -> None:
    writer = local.writer()
    await writer.bump(bump_of("order-service", 1), call("before"))
    damage(local.clone)
    if restart:
        writer = local.writer()
    bump = await writer.bump(bump_of("order-service", 2), call("after"))
    assert states(bump) == {"dev": "bumped", "staging": "bumped"}
    assert bump.commit == await local.tip()
    assert await writer.bump(bump_of("order-service", 1), call("before")) != bump
    assert local.pushes() == 2


async def test_a_clone_that_cannot_be_made_is_tried_again_later(local: World) -> None:
    local.state.write_text("a file where a folder should be")
    with pytest.raises(TemporaryError, match="cannot be made"):
        await local.writer().bump(bump_of("order-service", 1), call())
    local.state.unlink()
    await assert_bumps(local)


async def test_a_branch_that_was_rewritten_is_followed(world: World) -> None:
    begin = await world.tip()
    writer = world.writer()
    await writer.bump(bump_of("order-service", 1), call("one"))
    await writer.bump(bump_of("order-service", 2), call("two"))
    await world.repository.set_ref("refs/heads/main", begin)
    await world.human("README.md", "# Written anew\n")
    bump = await writer.bump(bump_of("order-service", 2), call("two"))
    assert states(bump) == {"dev": "bumped", "staging": "bumped"}
    assert await world.commits(begin) == 2
    assert await world.content("order-service") == kustomization("order-service", "dev", 2)


async def test_a_lock_that_stays_on_the_server_is_tried_again_later(local: World) -> None:
    lock = local.repository.folder / "refs" / "heads" / "main.lock"
    lock.touch()
    with pytest.raises(TemporaryError):
        await local.writer().bump(bump_of("order-service", 1), call())
    lock.unlink()
    await assert_bumps(local)


async def test_unreachable_commits_of_a_failed_push_do_not_get_out_later(local: World) -> None:
    begin = await local.tip()
    local.hook("pre-receive", "exit 1")
    writer = local.writer()
    with pytest.raises(PermanentError):
        await writer.bump(bump_of("order-service", 1), call("denied"))
    (local.repository.folder / "hooks" / "pre-receive").unlink()
    await writer.bump(bump_of("service-1", 1, []), call("nothing"))
    await assert_bumps(local, 5)
    assert await local.commits(begin) == 1


async def test_a_clone_can_be_collected_between_bumps(local: World) -> None:
    writer = local.writer()
    await writer.bump(bump_of("order-service", 1), call("one"))
    await git(local.clone, "gc", "--quiet", "--prune=now")
    await assert_bumps(local, 2)
