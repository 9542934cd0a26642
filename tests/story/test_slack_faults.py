"""Slack fails. Nothing else waits for it, and in the end the channel has one right message."""

import pytest
from story_platform import CHANNEL, tag_of, with_settings

from hub.sandbox.faults import Down, ResetAfterEffect, Status
from hub.sandbox.tekton import Outcome

POST = "chat.postMessage"
HOUR = 3600.0


def deployed_and_announced_once(platform, commit):
    for environment in ("dev", "staging"):
        assert platform.running(environment) == tag_of(commit)
        assert platform.stage(environment, commit) == "healthy"
    assert len(platform.messages()) == 2


def deployed_in_silence(platform, commit):
    """Check that everything went on but the messages."""
    assert platform.running("dev") == platform.running("staging") == tag_of(commit)
    assert platform.statuses(commit)[-1] == "success"
    assert platform.messages() == []


async def test_slack_wants_to_be_left_alone_for_an_hour_and_is(platform):
    """T97."""
    fault = platform.world.faults.fail("slack", Status(status=429, retry_after=HOUR), path=POST)
    commit = await platform.world.push()
    await platform.settled(retrying=True)
    deployed_in_silence(platform, commit)
    asked = fault.hits
    platform.clock.skip(HOUR / 2)
    await platform.settled(retrying=True)
    assert fault.hits == asked

    fault.clear()
    platform.clock.skip(HOUR)
    await platform.settled()
    deployed_and_announced_once(platform, commit)


async def test_the_hour_is_kept_through_a_restart(platform):
    """T97."""
    fault = platform.world.faults.fail("slack", Status(status=429, retry_after=HOUR), path=POST)
    commit = await platform.world.push()
    await platform.settled(retrying=True)
    asked = fault.hits
    await platform.restart()
    await platform.settled(retrying=True)
    assert fault.hits == asked

    fault.clear()
    platform.clock.skip(HOUR + 1)
    await platform.settled()
    deployed_and_announced_once(platform, commit)


@pytest.mark.parametrize("kind", [Status(status=500), Status(status=503), ResetAfterEffect()])
async def test_a_post_without_a_clear_answer_makes_one_message(platform, kind):
    """T98."""
    fault = platform.world.faults.fail("slack", kind, path=POST, times=2)
    commit = await platform.world.push()
    await platform.settled()

    assert fault.hits == 2
    deployed_and_announced_once(platform, commit)


async def test_an_update_without_an_answer_leaves_the_right_message(platform):
    """T98."""
    fault = platform.world.faults.fail("slack", ResetAfterEffect(), path="chat.update", times=1)
    platform.world.tekton.pace.hold()
    commit = await platform.world.push()
    await platform.until_stage("dev", commit, "building")
    platform.world.tekton.pace.release()
    await platform.settled()

    assert fault.hits == 1
    deployed_and_announced_once(platform, commit)


async def test_a_reply_that_fails_is_made_up_for_without_a_second_look_at_the_message(platform):
    """T78, T98."""
    platform.world.tekton.pace.hold()
    platform.world.tekton.outcome("order-service", Outcome.FAILED, message="3 tests failed")
    commit = await platform.world.push()
    await platform.until_stage("dev", commit, "building")
    await platform.until_stage("staging", commit, "building")
    fault = platform.world.faults.fail("slack", ResetAfterEffect(), path=POST, times=1)
    platform.world.tekton.pace.release()
    await platform.settled()

    assert fault.hits == 1
    for environment in ("dev", "staging"):
        replies = platform.replies(environment, commit)
        assert replies == ["build failed: failed: 3 tests failed"]


async def test_slack_is_down_for_a_whole_deployment(platform):
    fault = platform.world.faults.fail("slack", Down())
    commit = await platform.world.push()
    await platform.settled(retrying=True)
    deployed_in_silence(platform, commit)

    fault.clear()
    await platform.settled()
    deployed_and_announced_once(platform, commit)
    assert [message.edits for message in platform.messages()] == [0, 0]


async def test_a_revoked_token_is_a_dead_letter_that_says_what_to_do(platform):
    """T99."""
    file = platform.world.credentials.slack_token.file
    platform.world.slack.rotate_token("xoxb-the-new-one")
    commit = await platform.world.push()
    await platform.settled()
    deployed_in_silence(platform, commit)
    letters = await platform.dead_letters()
    assert {run.handler for run in letters} == {"announce_deployment"}
    assert {run.detail for run in letters} == {
        f"Slack answered invalid_auth: replace slack.token (file {file})"
    }
    assert {run.attempts for run in letters} == {1}
    buried = await platform.events("dev.trunkline.run.dead-lettered")
    assert len(buried) == len(letters)

    file.write_text("xoxb-the-new-one")
    platform.clock.skip(2)
    await platform.replay_dead_letters()
    await platform.settled()
    deployed_and_announced_once(platform, commit)


async def test_an_archived_channel_is_a_dead_letter_and_holds_up_nothing(platform):
    """T99."""
    platform.world.slack.archive(CHANNEL)
    commit = await platform.world.push()
    await platform.settled()

    deployed_in_silence(platform, commit)
    (said, *others) = {run.detail for run in await platform.dead_letters()}
    assert others == []
    assert said.startswith("Slack answered is_archived: the app must be a member of #deployments")


@pytest.mark.parametrize("settings", [with_settings(platform={"channel": "#no-such-channel"})])
async def test_a_channel_that_does_not_exist_is_named(platform):
    """T99."""
    await platform.world.push()
    await platform.settled()

    (said, *others) = {run.detail for run in await platform.dead_letters()}
    assert others == []
    assert "channel_not_found" in said
    assert "#no-such-channel" in said


async def test_a_message_that_somebody_deleted_is_posted_anew_when_there_is_news(platform):
    platform.world.tekton.pace.hold()
    commit = await platform.world.push()
    await platform.until_stage("dev", commit, "building")
    await platform.until_stage("staging", commit, "building")
    platform.world.slack.delete(platform.message("dev", commit))
    platform.world.tekton.pace.release()
    await platform.settled()

    deployed_and_announced_once(platform, commit)
