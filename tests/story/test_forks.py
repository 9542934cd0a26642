"""A stranger's code runs only where somebody has approved just that commit, and without secrets."""

import pytest
from story_platform import QUICK, SOURCE

from hub.sandbox.kubernetes.kinds import labels_of
from hub.sandbox.tekton.states import params_of

FORK = "stranger/order-service"
MAINTAINER = "maintainer"
HANDLER = "start_approved_run"


async def proposed(platform, message="Mend a typing error"):
    """A pull request from a fork, and somebody who may approve it."""
    github = platform.world.github
    github.fork(SOURCE, "stranger")
    github.people.grant(SOURCE, MAINTAINER, "maintain")
    commit = await github.push(FORK, "topic", message)
    pull = await github.open_pull_request(SOURCE, "topic", message, head=FORK)
    await platform.settled()
    return pull, commit


async def said(platform, pull, text, *, by=MAINTAINER, action="created"):
    """What becomes of a comment."""
    platform.world.github.comment(pull, text, by=by, action=action)
    await platform.settled()
    return await platform.verdict(HANDLER, platform.last_delivery("issue_comment").guid)


@pytest.mark.parametrize("digits", [7, 12, 40])
async def test_an_approved_commit_is_built_apart_and_without_secrets(platform, digits):
    pull, commit = await proposed(platform)
    assert await said(platform, pull, f"Fine.\n/ok-to-test {commit.sha[:digits]}\n") == "done"

    (run,) = platform.pipeline_runs()
    assert run["metadata"]["namespace"] == "ci-forks"
    assert run["spec"]["taskRunTemplate"] == {"serviceAccountName": "pipeline-untrusted"}
    assert params_of(run)["git-revision"] == commit.sha
    assert params_of(run)["push-image"] == "false"
    assert labels_of(run)["trunkline.dev/pull-request"] == "1"
    assert "secret" not in str(run["spec"]).lower()
    assert platform.statuses(commit)[-1] == "success"
    assert await platform.bumps() == []


async def test_a_push_after_the_approval_needs_another_one(platform):
    pull, first = await proposed(platform)
    second = await platform.world.github.push(FORK, "topic", "Mine some coins")
    await platform.settled()

    assert await said(platform, pull, f"/ok-to-test {first.sha}") == (
        f"skipped: the approval is for {first.sha}, and the pull request is at {second.sha}"
    )
    assert platform.pipeline_runs() == []
    assert await said(platform, pull, f"/ok-to-test {second.sha}") == "done"
    assert platform.revisions_built() == [second.sha]


async def test_a_push_cancels_the_approved_build_and_starts_none(platform):
    pull, first = await proposed(platform)
    platform.world.tekton.pace.hold()
    platform.world.github.comment(pull, f"/ok-to-test {first.sha}", by=MAINTAINER)
    await platform.hub_has_heard()
    await platform.world.github.push(FORK, "topic", "Mine some coins")
    await platform.hub_has_heard()
    platform.world.tekton.pace.release()
    await platform.settled()

    assert platform.states() == {first.sha: "Cancelled"}


@pytest.mark.parametrize("role", ["read", "triage", "none"])
async def test_who_may_not_write_cannot_approve(platform, role):
    """The payload says OWNER of everybody here, as a forged one would."""
    pull, commit = await proposed(platform)
    platform.world.github.people.grant(SOURCE, "stranger", role)

    assert await said(platform, pull, f"/ok-to-test {commit.sha}", by="stranger") == (
        f"skipped: stranger may not write to {SOURCE}"
    )
    assert platform.pipeline_runs() == []


@pytest.mark.parametrize("name", ["../../../user", "a/b", "x?y", "", "-x"])
async def test_a_name_that_is_none_may_not_approve(platform, name):
    pull, commit = await proposed(platform)
    verdict = await said(platform, pull, f"/ok-to-test {commit.sha}", by=name)

    assert verdict.endswith(f"may not write to {SOURCE}")
    assert platform.pipeline_runs() == []


@pytest.mark.parametrize("words", ["", " abcdef", " main", " $(id)", " HEAD", f" {'0' * 65}"])
async def test_an_approval_without_a_commit_approves_nothing(platform, words):
    pull, commit = await proposed(platform)
    short = f"/ok-to-test {commit.sha[:6]}"

    for text in (f"/ok-to-test{words}", short):
        verdict = await said(platform, pull, text)
        assert verdict.startswith("skipped: /ok-to-test names no commit")
    assert platform.pipeline_runs() == []


async def test_the_commit_of_another_pull_request_is_not_approved(platform):
    pull, _ = await proposed(platform)
    other = await platform.world.push(branch="other")

    verdict = await said(platform, pull, f"/ok-to-test {other.sha}")

    assert verdict.startswith(f"skipped: the approval is for {other.sha}")
    assert platform.pipeline_runs() == []


async def test_a_comment_that_is_edited_into_an_approval_approves_nothing(platform):
    pull, commit = await proposed(platform)
    platform.world.github.comment(pull, f"/ok-to-test {commit.sha}", by=MAINTAINER, action="edited")
    await platform.settled()

    assert platform.pipeline_runs() == []
    assert await platform.runs(HANDLER) == []


@pytest.mark.parametrize("quote", ["> /ok-to-test {}", "`/ok-to-test {}`", "do /ok-to-test {}"])
async def test_an_approval_that_is_quoted_is_none(platform, quote):
    pull, commit = await proposed(platform)
    platform.world.github.comment(pull, quote.format(commit.sha), by=MAINTAINER)
    await platform.settled()

    assert platform.pipeline_runs() == []


async def test_a_pull_request_that_is_closed_is_not_built(platform):
    pull, commit = await proposed(platform)
    platform.world.github.close_pull_request(pull)

    assert await said(platform, pull, f"/ok-to-test {commit.sha}") == (
        "skipped: the pull request is closed"
    )


async def test_approving_it_twice_builds_it_once(platform):
    pull, commit = await proposed(platform)
    await said(platform, pull, f"/ok-to-test {commit.sha}")
    await said(platform, pull, f"Again: \n/ok-to-test {commit.sha}")

    assert platform.revisions_built() == [commit.sha]


@pytest.mark.parametrize("settings", [{**QUICK, "kubernetes": {"forks": None}}])
async def test_without_a_place_for_them_forks_are_never_built(platform):
    pull, commit = await proposed(platform)
    assert await said(platform, pull, f"/ok-to-test {commit.sha}") == (
        "skipped: forks are never built: the settings have no kubernetes.forks"
    )
    delivery = platform.last_delivery("pull_request")
    assert await platform.verdict("start_pipeline_run", delivery.guid) == (
        "skipped: it comes from a fork, and the settings have no kubernetes.forks"
    )
    assert platform.pipeline_runs() == []
