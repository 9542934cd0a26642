"""What is not built starts nothing at all, and `explain` says why."""

import pytest
from story_platform import SOURCE, tag_of


@pytest.fixture
async def nothing_starts(platform):
    """Check afterwards that nothing was built, said or changed."""
    running = {name: platform.running(name) for name in ("dev", "staging", "production")}
    yield
    await platform.settled()
    assert platform.pipeline_runs() == []
    assert platform.messages() == []
    assert await platform.bumps() == []
    assert {name: platform.running(name) for name in running} == running
    assert await platform.dead_letters() == []


async def why(platform):
    await platform.settled()
    return await platform.verdict("start_pipeline_run", platform.last_delivery().guid)


@pytest.mark.usefixtures("nothing_starts")
async def test_a_feature_branch_is_not_built(platform):
    await platform.world.push(branch="feature/a/b")
    said = await why(platform)
    assert said == "skipped: branch feature/a/b is not among platform.branches"


@pytest.mark.usefixtures("nothing_starts")
async def test_a_branch_that_only_ends_like_a_built_one_is_not_built(platform):
    await platform.world.push(branch="old/main")
    assert await why(platform) == "skipped: branch old/main is not among platform.branches"


@pytest.mark.usefixtures("nothing_starts")
async def test_a_tag_is_not_built(platform):
    """T26."""
    await platform.world.github.repositories[SOURCE].set_ref("refs/tags/v1.0.0", "main")
    assert await why(platform) == "skipped: refs/tags/v1.0.0 is not a branch"


@pytest.mark.usefixtures("nothing_starts")
async def test_a_tag_named_after_a_built_branch_is_not_built(platform):
    """T26."""
    await platform.world.github.repositories[SOURCE].set_ref("refs/tags/main", "main")
    assert await why(platform) == "skipped: refs/tags/main is not a branch"


@pytest.mark.usefixtures("nothing_starts")
async def test_a_repository_that_is_not_listed_is_not_built_however_well_signed(platform):
    """T27, C10."""
    world = platform.world
    stranger = world.github.create_repository("stranger/order-service")
    own = world.github.webhooks.wanting(SOURCE, "push")[0]
    world.github.add_hook(stranger.name, url=own.url, secret=own.secret)
    await world.github.push(stranger.name, "main", "Build me", {"Dockerfile": "FROM x\n"})
    said = await why(platform)
    assert said == "skipped: stranger/order-service is not among platform.repositories"


@pytest.mark.usefixtures("nothing_starts")
async def test_a_push_signed_with_another_secret_is_not_even_on_the_log(platform):
    """T5."""
    world = platform.world
    (own,) = world.github.webhooks.wanting(SOURCE, "push")
    world.github.webhooks.remove(own)
    world.github.webhooks.add(SOURCE, url=own.url, secret="x" * 40, events=("push",))
    await world.push()
    await world.settled()
    assert platform.last_delivery().status_code == 401
    assert await platform.events() == []


@pytest.mark.usefixtures("nothing_starts")
async def test_an_event_of_a_kind_that_nobody_handles_is_kept_and_explained(platform):
    """T23."""
    world = platform.world
    (own,) = world.github.webhooks.wanting(SOURCE, "push")
    world.github.add_hook(SOURCE, url=own.url, secret=own.secret, events=("star",))
    payload = {"action": "created", "repository": {"full_name": SOURCE, "url": "https://x.example"}}
    world.github.webhooks.send(SOURCE, "star", payload)
    await platform.settled()
    delivery = platform.last_delivery("star")
    assert delivery.status_code == 202
    said = await platform.verdict("start_pipeline_run", delivery.guid)
    assert said == "it is for other types of events"


async def test_the_deletion_of_a_built_branch_starts_nothing(platform):
    """T25."""
    commit = await platform.world.push(branch="develop")
    await platform.settled()
    await platform.world.github.repositories[SOURCE].set_ref("refs/heads/develop", None)

    assert await why(platform) == "skipped: the ref was deleted"
    assert platform.revisions_built() == [commit.sha]
    assert platform.running("dev") == tag_of(commit)
