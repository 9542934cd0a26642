"""The order of source commits decides what runs, not the order in which builds are heard of."""

from copy import deepcopy

import pytest
from story_platform import overlay, tag_of

from hub.sandbox.promotion import RELEASE_MANAGER


def told_again(run):
    """The run as Tekton tells of it anew, with another time."""
    again = deepcopy(run)
    again["status"]["conditions"][0]["lastTransitionTime"] = "2031-01-01T00:00:00Z"
    return again


async def build_unheard(platform, *messages):
    """Push and build without a word from Tekton; return each commit with its finished run."""
    platform.world.tekton.events.sink, sink = None, platform.world.tekton.events.sink
    commits = [await platform.world.push(message=message) for message in messages]
    await platform.settled()
    platform.world.tekton.events.sink = sink
    runs = {
        run["metadata"]["annotations"]["trunkline.dev/revision"]: run
        for run in platform.pipeline_runs()
    }
    return [(commit, runs[commit.sha]) for commit in commits]


async def test_an_older_build_that_finishes_after_a_newer_one_stays_away(platform):
    """T88."""
    ((_, slow),) = await build_unheard(platform, "Slow to build")
    newer = await platform.world.push(message="Quick to build")
    await platform.settled()
    assert await platform.tell_as_tekton("successful", slow) == 202
    await platform.settled()

    assert await platform.wanted("dev") == await platform.wanted("staging") == tag_of(newer)
    assert platform.running("staging") == tag_of(newer)
    assert len(await platform.bumps()) == 1
    event = (await platform.events("dev.tekton.event.pipelinerun.successful"))[-1]
    said = await platform.verdict("bump_image_tag", event.id)
    assert f"{tag_of(newer)}, written there before, is newer" in said


@pytest.mark.parametrize("order", [(3, 0, 1, 2), (1, 3, 0, 2), (2, 1, 0, 3)])
async def test_builds_heard_of_in_any_order_end_with_the_newest(platform, order):
    """T29, T88."""
    built = await build_unheard(platform, "One", "Two", "Three", "Four")
    for number in order:
        assert await platform.tell_as_tekton("successful", built[number][1]) == 202
        await platform.settled()

    tags = [tag_of(commit) for commit, _ in built]
    assert await platform.wanted("staging") == platform.running("staging") == tags[-1]
    places = [tags.index(tag) for tag in await platform.tags_over_time("staging") if tag in tags]
    assert places == sorted(places)


async def test_a_push_that_is_delivered_after_a_newer_one_takes_nothing_back(platform):
    """T29."""
    await platform.stop()
    older = await platform.world.push(message="Missed")
    await platform.world.settled()
    missed = platform.last_delivery()
    await platform.start()
    newer = await platform.world.push(message="Heard")
    await platform.settled()
    platform.world.github.webhooks.redeliver(missed.id)
    await platform.settled()

    assert platform.revisions_built() == [newer.sha, older.sha]
    assert platform.running("dev") == platform.running("staging") == tag_of(newer)


async def roll_back(platform, environment):
    """A person takes the last bump of an environment back."""
    repository = platform.world.gitops
    (*_, bump) = await platform.bumps()
    content = await repository.read_file(bump.parents[0], overlay(environment))
    message = f"Revert in {environment}"
    await repository.commit("main", message, {overlay(environment): content}, by=RELEASE_MANAGER)
    await platform.settled()


async def test_what_a_person_rolled_back_stays_away_until_a_newer_commit_is_built(platform):
    """T89."""
    good = await platform.world.push(message="Good")
    await platform.settled()
    bad = await platform.world.push(message="Bad")
    await platform.settled()
    await roll_back(platform, "staging")
    assert platform.running("staging") == tag_of(good)

    for run in platform.pipeline_runs():
        assert await platform.tell_as_tekton("successful", told_again(run)) == 202
    await platform.settled()
    assert await platform.wanted("staging") == platform.running("staging") == tag_of(good)
    assert platform.running("dev") == tag_of(bad)

    mended = await platform.world.push(message="Mended")
    await platform.settled()
    assert platform.running("dev") == platform.running("staging") == tag_of(mended)


async def test_a_rollback_survives_a_replay_of_everything(platform):
    """T80, T89."""
    good = await platform.world.push(message="Good")
    await platform.settled()
    await platform.world.push(message="Bad")
    await platform.settled()
    await roll_back(platform, "staging")
    for run in await platform.runs("bump_image_tag"):
        assert await platform.hub.journal.replay(run.id, again=True)
    await platform.settled()

    assert platform.running("staging") == tag_of(good)
    assert len(await platform.bumps()) == 2


async def test_the_channel_shows_what_a_rollback_brought_back(platform):
    good = await platform.world.push(message="Good")
    await platform.settled()
    bad = await platform.world.push(message="Bad")
    await platform.settled()
    lines = len(platform.message("staging", good).text.splitlines())
    await roll_back(platform, "staging")

    assert platform.stage("staging", good) == "healthy"
    assert len(platform.message("staging", good).text.splitlines()) > lines
    assert len(platform.messages_about("staging", bad)) == 1
