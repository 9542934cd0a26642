"""What a bump makes of the gitops repository, over `file://` and over real git HTTP."""

import asyncio
from collections.abc import AsyncIterator
from pathlib import Path

import pytest
from gitops_world import (
    World,
    bump_of,
    call,
    image_of,
    kustomization,
    make_world,
    path_of,
    read_of,
    revision,
    states,
)

from hub.actions.gitops import Bump, BumpState, Image
from hub.errors import PermanentError, TemporaryError
from hub.sandbox.git import git

pytestmark = pytest.mark.parametrize("protocol", ["file", "http"])


@pytest.fixture
async def world(tmp_path: Path, protocol: str) -> AsyncIterator[World]:
    made = await make_world(tmp_path, protocol)
    yield made
    await made.close()


async def test_a_bump_is_one_commit_that_changes_the_scalars_alone(world: World) -> None:
    begin = await world.tip()
    bump = await world.writer().bump(bump_of("order-service", 1), call())
    assert states(bump) == {"dev": "bumped", "staging": "bumped"}
    assert bump.commit == await world.tip()
    assert bump.committed_at == "2027-01-15T08:00:00Z"
    assert await world.commits(begin) == 1
    changed = await world.changed(begin)
    assert changed == [path_of("order-service", "dev"), path_of("order-service", "staging")]
    for environment in ("dev", "staging"):
        expected = kustomization("order-service", environment, 1)
        assert await world.content("order-service", environment) == expected


async def test_the_commit_says_what_it_is_and_for_which_event(world: World) -> None:
    await world.writer().bump(bump_of("order-service", 1), call())
    told = await git(
        world.repository.folder, "log", "-1", "--format=%s%n%an <%ae>%n%(trailers:only)", "main"
    )
    assert told.decode().strip().splitlines() == [
        "Bump order-service to v1 in dev, staging",
        "trunkline <trunkline@localhost>",
        f"Trunkline-Event: {call().key}",
        "Trunkline-Service: order-service",
        "Trunkline-Environments: dev, staging",
        "Trunkline-Repository: company/order-service",
        f"Trunkline-Revision: {revision(1)}",
        "Trunkline-Tag: v1",
        f"Trunkline-Digest: {image_of('order-service', 1).digest}",
    ]


async def test_a_repeated_call_is_answered_with_the_commit_it_made_before(world: World) -> None:
    writer = world.writer()
    first = await writer.bump(bump_of("order-service", 1), call())
    again = await writer.bump(bump_of("order-service", 1), call())
    after_restart = await world.writer().bump(bump_of("order-service", 1), call())
    assert first == again == after_restart
    assert world.pushes() == 1


async def test_two_callers_for_one_event_share_one_commit(world: World) -> None:
    writer = world.writer()
    begin = await world.tip()
    bumps = await asyncio.gather(
        *(writer.bump(bump_of("order-service", 1), call()) for _ in range(5))
    )
    assert len({bump.commit for bump in bumps}) == 1
    assert await world.commits(begin) == 1


async def test_the_same_build_from_another_event_changes_nothing(world: World) -> None:
    writer = world.writer()
    await writer.bump(bump_of("order-service", 1), call("first"))
    bump = await writer.bump(bump_of("order-service", 1), call("second"))
    assert bump.commit is None
    assert states(bump) == {"dev": "unchanged", "staging": "unchanged"}
    assert "written there before" in bump.environments[0].reason
    assert world.pushes() == 1


async def test_a_rebuild_of_the_same_commit_is_unchanged_and_says_which_digest_stands(
    world: World,
) -> None:
    writer = world.writer()
    first = bump_of("order-service", 1)
    await writer.bump(first, call("first"))
    rebuilt = Image(
        repository=first.image.repository, tag=first.image.tag, digest=f"sha256:{'f' * 64}"
    )
    bump = await writer.bump(
        type(first)(
            service=first.service,
            environments=first.environments,
            image=rebuilt,
            repository=first.repository,
            revision=first.revision,
        ),
        call("second"),
    )
    assert states(bump) == {"dev": "unchanged", "staging": "unchanged"}
    assert first.image.digest in bump.environments[0].reason


async def test_an_older_build_never_overwrites_a_newer_one(world: World) -> None:
    writer = world.writer()
    await writer.bump(bump_of("order-service", 7), call("new"))
    bump = await writer.bump(bump_of("order-service", 3), call("old"))
    assert bump.commit is None
    assert states(bump) == {"dev": "superseded", "staging": "superseded"}
    assert await world.content("order-service") == kustomization("order-service", "dev", 7)


@pytest.mark.parametrize("later", [True, False])
async def test_of_diverged_commits_the_later_one_wins(world: World, later: bool) -> None:  # noqa: FBT001
    world.order.diverged[frozenset({3, 7})] = later
    writer = world.writer()
    await writer.bump(bump_of("order-service", 3), call("first"))
    bump = await writer.bump(bump_of("order-service", 7), call("second"))
    assert bump.environments[0].state is (BumpState.BUMPED if later else BumpState.SUPERSEDED)


async def test_a_human_rollback_stays_until_a_newer_commit_is_built(world: World) -> None:
    writer = world.writer()
    await writer.bump(bump_of("order-service", 1), call("one"))
    await writer.bump(bump_of("order-service", 2), call("two"))
    rolled_back = kustomization("order-service", "dev", 1)
    await world.human(path_of("order-service", "dev"), rolled_back, 'Revert "Bump order-service"')
    replayed = await writer.bump(bump_of("order-service", 2), call("two, replayed"))
    assert replayed.commit is None
    assert await world.content("order-service") == rolled_back
    newer = await writer.bump(bump_of("order-service", 3), call("three"))
    assert states(newer) == {"dev": "bumped", "staging": "bumped"}
    assert await world.content("order-service") == kustomization("order-service", "dev", 3)


async def test_environments_are_decided_one_by_one(world: World) -> None:
    writer = world.writer()
    await writer.bump(bump_of("order-service", 5, ["staging"]), call("five"))
    bump = await writer.bump(bump_of("order-service", 4), call("four"))
    assert states(bump) == {"dev": "bumped", "staging": "superseded"}
    again = await world.writer().bump(bump_of("order-service", 4), call("four"))
    assert again.commit == bump.commit
    assert states(again) == {"dev": "bumped", "staging": "unchanged"}


async def test_what_stands_there_already_makes_no_commit(world: World) -> None:
    begin = await world.tip()
    bump = await world.writer().bump(bump_of("order-service", 0), call())
    assert bump == Bump(commit=None, environments=bump.environments)
    assert states(bump) == {"dev": "unchanged", "staging": "unchanged"}
    assert await world.tip() == begin


async def test_builds_of_one_service_in_one_batch_are_applied_in_source_order(
    world: World,
) -> None:
    writer = world.writer()
    begin = await world.tip()
    numbers = [4, 2, 6, 1, 5, 3]
    bumps = await asyncio.gather(
        *(writer.bump(bump_of("order-service", number), call(str(number))) for number in numbers)
    )
    assert all(states(bump) == {"dev": "bumped", "staging": "bumped"} for bump in bumps)
    subjects = await world.subjects(begin)
    assert [subject.split()[3] for subject in subjects] == ["v1", "v2", "v3", "v4", "v5", "v6"]
    assert world.pushes() == 1


async def test_where_the_order_is_not_known_only_that_bump_fails(world: World) -> None:
    writer = world.writer()
    await writer.bump(bump_of("order-service", 1), call("first"))
    world.order.fails = {2: None, 3: TemporaryError("down")}
    unknown, down, fine = await asyncio.gather(
        writer.bump(bump_of("order-service", 2, ["dev"]), call("two")),
        writer.bump(bump_of("order-service", 3, ["staging"]), call("three")),
        writer.bump(bump_of("mail-service", 2), call("mail")),
        return_exceptions=True,
    )
    assert isinstance(unknown, PermanentError)
    assert "does not say whether 000000000000 is newer" in str(unknown)
    assert isinstance(down, TemporaryError)
    assert isinstance(fine, Bump)
    world.order.fails = {}
    retried = await writer.bump(bump_of("order-service", 3, ["staging"]), call("three"))
    assert states(retried) == {"staging": "bumped"}


async def test_a_commit_by_hand_with_trailers_says_where_to_go_on(world: World) -> None:
    writer = world.writer()
    await writer.bump(bump_of("order-service", 1), call("one"))
    world.order.fails = {1: None}
    with pytest.raises(PermanentError, match="in a commit with the trailers"):
        await writer.bump(bump_of("order-service", 2), call("two"))
    by_hand = (
        "Go on from the moved repository\n\nTrunkline-Service: order-service\n"
        f"Trunkline-Environments: dev, staging\nTrunkline-Revision: {revision(2)}\n"
    )
    content = kustomization("order-service", "dev", 2)
    await world.human(path_of("order-service", "dev"), content, by_hand)
    bump = await writer.bump(bump_of("order-service", 3), call("three"))
    assert states(bump) == {"dev": "bumped", "staging": "bumped"}


async def test_a_mistake_in_one_bump_does_not_stop_the_others(world: World) -> None:
    writer = world.writer()
    await writer.bump(bump_of("order-service", 1), call("first"))
    world.order.breaks = True
    broken, fine = await asyncio.gather(
        writer.bump(bump_of("order-service", 2), call("order")),
        writer.bump(bump_of("mail-service", 2), call("mail")),
        return_exceptions=True,
    )
    assert isinstance(broken, PermanentError)
    assert isinstance(fine, Bump)


async def test_a_poisoned_bump_fails_alone(world: World) -> None:
    broken = "services/broken/overlays/dev/kustomization.yaml"
    await world.human(
        broken, "images:\n- name: registry.example/company/broken\n  newTag: |\n   v\n"
    )
    writer = world.writer()
    outcomes = await asyncio.gather(
        writer.bump(bump_of("order-service", 1), call("a")),
        writer.bump(bump_of("broken", 1, ["dev"]), call("b")),
        writer.bump(bump_of("nowhere", 1, ["dev"]), call("c")),
        writer.bump(bump_of("mail-service", 1), call("d")),
        return_exceptions=True,
    )
    assert [type(one) for one in outcomes] == [Bump, PermanentError, PermanentError, Bump]
    assert f"{broken}, line 3: a block scalar" in str(outcomes[1])
    looked_for = (path_of("nowhere", "dev"), "services/nowhere/values-dev.yaml")
    assert all(path in str(outcomes[2]) for path in looked_for)
    assert world.pushes() == 1


async def test_a_bump_that_fails_in_one_environment_writes_nothing_in_the_other(
    world: World,
) -> None:
    begin = await world.tip()
    with pytest.raises(PermanentError, match="services/order-service/overlays/test/"):
        await world.writer().bump(bump_of("order-service", 1, ["dev", "test"]), call())
    assert await world.tip() == begin


async def test_kustomization_and_values_are_changed_together(world: World) -> None:
    values = "image:\r\n  repository: registry.example/company/order-service\r\n  tag: v0 # c"
    await world.human("services/order-service/values-dev.yaml", values)
    bump = await world.writer().bump(bump_of("order-service", 1, ["dev"]), call())
    assert bump.commit
    told = await world.repository.read_file("main", "services/order-service/values-dev.yaml")
    assert told.decode() == values.replace("v0", "v1")
    assert await world.content("order-service") == kustomization("order-service", "dev", 1)


async def test_nothing_to_bump_touches_nothing(world: World) -> None:
    bump = await world.writer().bump(bump_of("order-service", 1, []), call())
    assert bump == Bump(commit=None)
    assert not world.state.exists()


async def test_the_image_of_a_commit_is_read(world: World) -> None:
    writer = world.writer()
    begin = await world.tip()
    first = await writer.bump(bump_of("order-service", 1), call("one"))
    second = await writer.bump(bump_of("order-service", 2), call("two"))
    for commit, number in ((begin, 0), (first.commit, 1), (second.commit, 2)):
        found = await world.writer().read(read_of("order-service", "dev", commit or ""), call())
        assert found == image_of("order-service", number)


async def test_a_digest_that_the_file_does_not_tell_is_that_of_the_bump_of_its_tag(
    world: World,
) -> None:
    path = "services/web/overlays/dev/kustomization.yaml"
    text = "images:\n- name: registry.example/company/web\n  newTag: {}\n"
    by_hand = await world.human(path, text.format("by-hand"))
    writer = world.writer()
    await writer.bump(bump_of("web", 1, ["dev"]), call("one"))
    second = await writer.bump(bump_of("web", 2, ["dev"]), call("two"))
    rolled_back = await world.human(path, text.format("v1"))
    for commit, number in ((second.commit, 2), (rolled_back, 1)):
        found = await writer.read(read_of("web", "dev", commit or ""), call())
        assert found == image_of("web", number)
    unknown = await writer.read(read_of("web", "dev", by_hand), call())
    assert unknown == Image(repository=image_of("web", 1).repository, tag="by-hand", digest="")


@pytest.mark.parametrize(
    ("service", "environment", "commit"),
    [
        ("order-service", "dev", "f" * 40),
        ("order-service", "dev", "6.5.0"),
        ("order-service", "dev", "--upload-pack=touch evil"),
        ("order-service", "nowhere", ""),
        ("../../order-service", "dev", ""),
        ("", "", ""),
    ],
)
async def test_what_is_not_there_reads_as_none(
    world: World, service: str, environment: str, commit: str
) -> None:
    head = await world.tip()
    found = await world.writer().read(read_of(service, environment, commit or head), call())
    assert found is None
