"""A run that failed for good is heard of: in its deployment's message, and in one of its own."""

import shlex
import sys

import pytest
from story_platform import overlay, tag_of, with_settings

OVERLAY = overlay("staging")

POSTPONES = '''
from hub.dispatch import on
from hub.errors import TemporaryError
from hub.events.github import Push


@on(Push)
async def postpone(push, do):
    """Put it off for an hour."""
    raise TemporaryError("not now", after=3600)


HANDLERS = (postpone,)
'''


def lines(message):
    """The lines of a message by what they are about."""
    title, *rest = message.shown.splitlines()
    return {"title": title, **dict(line.split(": ", 1) for line in rest)}


async def deployed(platform, commit):
    for environment in ("dev", "staging"):
        assert platform.running(environment) == tag_of(commit)
        assert platform.stage(environment, commit) == "healthy"


async def test_a_bump_that_died_is_no_deployment_that_stays_at_built(platform):
    """T95."""
    platform.world.gitops.refuse_pushes()
    commit = await platform.world.push()
    await platform.settled()
    (letter,) = await platform.dead_letters()
    for environment in ("dev", "staging"):
        assert platform.stage(environment, commit) == "bump failed"
        assert platform.replies(environment, commit) == [f"bump failed: {letter.detail}"]

    platform.world.gitops.accept_pushes()
    await platform.replay_dead_letters()
    await platform.settled()
    await deployed(platform, commit)


async def test_a_dead_letter_is_told_of_with_the_command_that_runs_it_again(platform):
    platform.world.gitops.refuse_pushes()
    await platform.world.push()
    await platform.settled()

    (dead,) = await platform.dead_letters()
    (message,) = platform.messages("dead-letter/")
    assert lines(message) == {
        "title": "bump_image_tag is dead",
        "error": dead.detail,
        "event": f"{dead.event_type} {dead.event_id}",
        "attempts": "1",
        "replay": shlex.join(["trunkline", "replay", dead.event_id, "--handler", dead.handler]),
    }


async def test_a_run_that_dies_again_shows_its_new_error_in_the_same_message(platform):
    platform.world.gitops.refuse_pushes()
    commit = await platform.world.push()
    await platform.settled()
    platform.clock.skip(60)
    platform.world.gitops.accept_pushes()
    await platform.world.gitops.commit("main", "Tidy up", {OVERLAY: None})
    await platform.replay_dead_letters()
    await platform.settled()

    (message,) = platform.messages("dead-letter/")
    assert OVERLAY in lines(message)["error"]
    assert platform.replies("staging", commit)[-1].startswith("bump failed: ")
    assert OVERLAY in platform.replies("staging", commit)[-1]


async def test_what_cannot_be_told_in_slack_leads_to_no_further_dead_letters(platform):
    """T99."""
    platform.world.slack.rotate_token("xoxb-the-new-one")
    platform.world.gitops.refuse_pushes()
    await platform.world.push()
    await platform.settled()
    dead = [run.handler for run in await platform.dead_letters()]
    assert {*dead} == {"bump_image_tag", "announce_deployment", "announce_dead_letter"}
    assert dead.count("announce_dead_letter") == dead.count("bump_image_tag") == 1
    told = await platform.events("dev.trunkline.run.dead-lettered")
    assert {event.subject for event in told} == {"bump_image_tag", "announce_deployment"}

    platform.world.credentials.slack_token.file.write_text("xoxb-the-new-one")
    platform.clock.skip(2)
    await platform.replay_dead_letters()
    await platform.settled()
    (message,) = platform.messages("dead-letter/")
    assert lines(message)["title"] == "bump_image_tag is dead"


@pytest.fixture
def module(tmp_path, monkeypatch):
    """A module of the platform's owners, with a handler that never gets to its end."""
    name = f"postponing_{tmp_path.name}"
    (tmp_path / f"{name}.py").write_text(POSTPONES)
    monkeypatch.syspath_prepend(tmp_path)
    yield name
    sys.modules.pop(name, None)


async def test_a_parked_run_is_told_of_too(platform, module):
    """T79."""
    platform.changes = with_settings(dispatch={"handlers_module": module})
    await platform.restart()
    commit = await platform.world.push()
    await platform.settled(retrying=True)
    platform.changes = with_settings()
    await platform.restart()
    platform.clock.skip(3601)
    await platform.settled()

    (message,) = platform.messages("dead-letter/")
    assert lines(message)["title"] == "postpone is parked"
    assert lines(message)["error"] == "no handler named postpone is installed"
    await deployed(platform, commit)
