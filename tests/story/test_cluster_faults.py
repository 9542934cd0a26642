"""The Kubernetes API fails, refuses, or answers too late: a push is one run all the same."""

import pytest
from story_platform import tag_of

from hub.sandbox.faults import Down, ResetAfterEffect, Slow, Status
from hub.sandbox.kubernetes import PIPELINE_RUNS
from hub.sandbox.kubernetes.refusal import Refusal, denied

RUNS = "/pipelineruns$"


def deployed_once(platform, commit):
    assert platform.revisions_built() == [commit.sha]
    assert platform.running("dev") == platform.running("staging") == tag_of(commit)
    assert len(platform.messages("deployment/")) == 2


@pytest.mark.parametrize("kind", [Status(status=500), Status(status=503), Down()])
async def test_a_run_that_cannot_be_created_now_is_created_later(platform, kind):
    """T84."""
    fault = platform.world.faults.fail("kubernetes", kind, method="POST", path=RUNS, times=2)
    commit = await platform.world.push()
    await platform.settled()

    assert fault.hits == 2
    deployed_once(platform, commit)


async def test_an_api_server_that_is_overloaded_is_left_alone_as_long_as_it_says(platform):
    """T84."""
    fault = platform.world.faults.fail("kubernetes", Status(status=429, retry_after=90), times=1)
    commit = await platform.world.push()
    await platform.settled(retrying=True)
    assert platform.pipeline_runs() == []
    assert fault.hits == 1

    platform.clock.skip(91)
    await platform.settled()
    deployed_once(platform, commit)


async def test_a_run_that_was_created_without_an_answer_is_not_created_twice(platform):
    """T82."""
    fault = platform.world.faults.fail("kubernetes", ResetAfterEffect(), method="POST", times=1)
    commit = await platform.world.push()
    await platform.settled()

    assert fault.hits == 1
    (run,) = await platform.runs("start_pipeline_run")
    assert (run.state, run.attempts) == ("done", 2)
    deployed_once(platform, commit)


async def test_a_cluster_that_cannot_be_read_for_a_while_delays_and_loses_nothing(platform):
    """T84."""
    fault = platform.world.faults.fail("kubernetes", Status(status=500), method="GET", times=6)
    commit = await platform.world.push()
    await platform.settled()

    assert fault.hits == 6
    deployed_once(platform, commit)


@pytest.mark.parametrize("status", [403, 422])
async def test_a_refusal_is_a_dead_letter_and_works_once_it_is_mended(platform, status):
    """T83."""
    fault = platform.world.faults.fail("kubernetes", Status(status=status), method="POST")
    commit = await platform.world.push()
    await platform.settled()
    (letter,) = await platform.dead_letters()
    assert (letter.handler, letter.attempts) == ("start_pipeline_run", 1)
    assert letter.detail.startswith(f"the Kubernetes API answered {status}")
    assert fault.hits == 1

    fault.clear()
    await platform.replay_dead_letters()
    await platform.settled()
    deployed_once(platform, commit)


async def test_a_policy_that_denies_the_run_is_quoted(platform):
    """T83."""
    refusal = denied("policy.company.example", "images must be signed")
    platform.world.cluster.deny_creation(PIPELINE_RUNS, refusal)
    await platform.world.push()
    await platform.settled()

    (letter,) = await platform.dead_letters()
    assert "policy.company.example" in letter.detail
    assert "images must be signed" in letter.detail
    assert letter.attempts == 1


async def test_an_exhausted_quota_is_waited_for(platform):
    """T86."""
    words = 'pipelineruns.tekton.dev "x" is forbidden: exceeded quota: ci, requested: count=1'
    platform.world.cluster.deny_creation(PIPELINE_RUNS, Refusal(403, "Forbidden", words))
    commit = await platform.world.push()
    await platform.settled(retrying=True)
    (run,) = await platform.runs("start_pipeline_run")
    assert run.state == "retrying"
    assert "exceeded quota: ci" in run.detail

    platform.world.cluster.deny_creation(PIPELINE_RUNS, None)
    platform.clock.skip(61)
    await platform.settled()
    deployed_once(platform, commit)


async def test_a_run_of_that_name_which_is_somebody_else_s_is_not_taken_for_ours(platform):
    """T81."""
    await platform.world.push()
    await platform.settled()
    (ours,) = platform.pipeline_runs()
    platform.prune_pipeline_runs()
    metadata = {"name": ours["metadata"]["name"], "labels": {"owner": "somebody-else"}}
    theirs = {key: ours[key] for key in ("apiVersion", "kind", "spec")} | {"metadata": metadata}
    platform.world.cluster.create(PIPELINE_RUNS, ours["metadata"]["namespace"], theirs)
    (run,) = await platform.runs("start_pipeline_run")
    await platform.hub.journal.replay(run.id, again=True)
    await platform.settled()

    (letter,) = await platform.dead_letters()
    assert letter.detail.endswith("exists and was not started by the hub")


async def test_a_start_that_hangs_holds_up_no_other_repository(platform):
    """T75."""
    await platform.world.add_services(["cart"])
    fault = platform.world.faults.fail("kubernetes", Slow(), method="POST", times=1)
    first = await platform.world.push()
    await fault.met()
    second = await platform.world.push("cart")
    await platform.until_stage("staging", second, "healthy", service="cart")
    assert platform.revisions_built() == [second.sha]

    fault.clear()
    await platform.settled()
    assert platform.running("staging") == tag_of(first)
