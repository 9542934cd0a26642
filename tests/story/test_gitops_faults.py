"""GitHub fails, its API or git behind it: a bump lands once, or says why it did not."""

import shutil

import pytest
from story_platform import SOURCE, overlay, tag_of

from hub.sandbox.faults import ResetAfterEffect, Slow, Status

PUSH = "git-receive-pack$"


def deployed(platform, commit):
    assert platform.running("dev") == platform.running("staging") == tag_of(commit)
    assert platform.stage("staging", commit) == "healthy"


async def test_a_commit_status_that_github_cannot_take_now_is_set_later(platform):
    """T34."""
    platform.world.faults.fail("github", Status(status=500), path="/statuses/", times=3)
    commit = await platform.world.push()
    await platform.settled()

    assert platform.statuses(commit)[-1] == "success"
    deployed(platform, commit)


async def test_github_s_rate_limit_holds_up_the_status_and_nothing_else(platform):
    """T34."""
    limit = Status(status=403, retry_after=600, headers=(("X-RateLimit-Remaining", "0"),))
    fault = platform.world.faults.fail("github", limit, path="/statuses/", times=1)
    commit = await platform.world.push()
    await platform.settled(retrying=True)
    deployed(platform, commit)
    assert platform.statuses(commit) == []
    assert fault.hits == 1

    platform.clock.skip(601)
    await platform.settled()
    assert platform.statuses(commit)[-1] == "success"


async def test_a_token_that_github_refuses_is_named_with_its_place(platform):
    fault = platform.world.faults.fail("github", Status(status=401), path="/statuses/")
    commit = await platform.world.push()
    await platform.settled()

    letters = await platform.dead_letters()
    assert {run.handler for run in letters} == {"report_pipeline_status"}
    file = platform.world.credentials.github_token.file
    assert all(f"github.token (file {file})" in run.detail for run in letters)

    fault.clear()
    await platform.replay_dead_letters()
    await platform.settled()
    assert platform.statuses(commit)[-1] == "success"


async def test_a_push_that_a_hook_declines_is_a_dead_letter_with_git_s_words(platform):
    """T95."""
    before = platform.running("staging")
    platform.world.gitops.refuse_pushes()
    commit = await platform.world.push()
    await platform.settled()
    (letter,) = await platform.dead_letters()
    assert letter.handler == "bump_image_tag"
    assert "GH006: Protected branch update failed" in letter.detail
    assert platform.running("staging") == before

    platform.world.gitops.accept_pushes()
    await platform.replay_dead_letters()
    await platform.settled()
    deployed(platform, commit)


async def test_a_push_without_an_answer_is_one_commit(platform):
    """T94."""
    fault = platform.world.faults.fail("git", ResetAfterEffect(), method="POST", path=PUSH, times=1)
    commit = await platform.world.push()
    await platform.settled()

    assert fault.hits == 1
    (bump,) = await platform.bumps()
    deployed(platform, commit)
    message = platform.message("staging", commit).text
    assert f" {tag_of(commit)} in {bump.sha[:7]}" in message


async def test_a_git_server_in_trouble_delays_a_bump(platform):
    """T94."""
    fault = platform.world.faults.fail("git", Status(status=500), times=3)
    commit = await platform.world.push()
    await platform.settled()

    assert fault.hits == 3
    assert len(await platform.bumps()) == 1
    deployed(platform, commit)


async def test_a_person_who_pushes_first_loses_nothing(platform):
    """T87."""
    fault = platform.world.faults.fail("git", Slow(), method="POST", path=PUSH, times=1)
    commit = await platform.world.push()
    await fault.met()
    mine = await platform.world.gitops.commit("main", "Mine", {"README.md": "# Mine\n"})
    fault.clear()
    await platform.settled()

    deployed(platform, commit)
    (bump,) = await platform.bumps()
    assert bump.parents == (mine.sha,)
    assert not any(change.forced for change in platform.world.gitops.changes)


async def test_a_history_that_was_rewritten_is_followed(platform):
    """T90."""
    gitops = platform.world.gitops
    before = await gitops.resolve("main")
    await platform.world.push(message="To be forgotten")
    await platform.settled()
    await gitops.set_ref("refs/heads/main", before)
    await gitops.commit("main", "Another history", {"README.md": "# Anew\n"})
    commit = await platform.world.push(message="To stay")
    await platform.settled()

    deployed(platform, commit)
    assert (await gitops.read_file("main", "README.md")) == b"# Anew\n"
    assert len(await platform.bumps()) == 1


@pytest.mark.parametrize("damage", ["gone", "emptied", "locked"])
async def test_a_clone_that_was_damaged_while_the_hub_was_down_is_made_anew(platform, damage):
    """T91."""
    await platform.world.push(message="First")
    await platform.settled()
    await platform.stop()
    (head,) = platform.state.glob("gitops-*/HEAD")
    clone = head.parent
    if damage == "gone":
        shutil.rmtree(clone)
    elif damage == "emptied":
        for file in clone.rglob("*"):
            if file.is_file():
                file.chmod(0o600)
                file.write_bytes(b"")
    else:
        for name in ("HEAD.lock", "config.lock", "index.lock", "shallow.lock", "packed-refs.lock"):
            (clone / name).touch()
    await platform.start()
    commit = await platform.world.push(message="Second")
    await platform.settled()

    deployed(platform, commit)
    assert len(await platform.bumps()) == 2


async def test_a_service_without_a_file_is_a_dead_letter_that_names_the_path(platform):
    """T92."""
    path = overlay("staging")
    await platform.world.gitops.commit("main", "Tidy up", {path: None})
    await platform.settled()
    await platform.world.push()
    await platform.settled()

    (letter,) = await platform.dead_letters()
    assert path in letter.detail
    assert await platform.bumps() == []


async def test_a_file_that_cannot_be_changed_safely_is_left_as_it_is(platform):
    """T92."""
    path = overlay("staging")
    content = (await platform.world.gitops.read_file("main", path)).decode()
    twice = content + content.partition("images:\n")[2]
    await platform.world.gitops.commit("main", "Copy and paste", {path: twice})
    await platform.settled()
    await platform.world.push()
    await platform.settled()

    (letter,) = await platform.dead_letters()
    assert path in letter.detail
    assert (await platform.world.gitops.read_file("main", path)).decode() == twice


async def test_the_order_of_builds_is_asked_again_when_github_could_not_tell_it(platform):
    """T88."""
    await platform.world.push(message="First")
    await platform.settled()
    fault = platform.world.faults.fail("github", Status(status=502), path="/compare/", times=2)
    commit = await platform.world.push(message="Second")
    await platform.settled()

    assert fault.hits == 2
    deployed(platform, commit)
    assert platform.world.github.statuses.latest(SOURCE, commit.sha)[0].state == "success"
