"""A newer push to a pull request ends the build of the older one."""

import orjson
import pytest
from story_platform import SOURCE

from hub.sandbox.kubernetes import PIPELINE_RUNS
from hub.sandbox.kubernetes.kinds import labels_of


async def begun(platform, message="Try this"):
    """A pull request whose first commit is being built."""
    commit = await platform.world.push(branch="topic", message=message)
    platform.world.tekton.pace.hold()
    pull = await platform.world.github.open_pull_request(SOURCE, "topic", message)
    await platform.hub_has_heard()
    return pull, commit


async def test_a_newer_push_cancels_what_runs_for_the_older_commit(platform):
    _, first = await begun(platform)
    second = await platform.world.push(branch="topic", message="Better")
    await platform.hub_has_heard()
    platform.world.tekton.pace.release()
    await platform.settled()

    assert platform.states() == {first.sha: "Cancelled", second.sha: "Succeeded"}
    assert platform.statuses(first)[-1] == "error"
    assert platform.statuses(second)[-1] == "success"


async def test_an_old_event_that_comes_late_neither_cancels_the_newer_nor_builds_again(platform):
    await begun(platform)
    late = platform.last_delivery("pull_request")
    second = await platform.world.push(branch="topic", message="Better")
    await platform.hub_has_heard()
    webhooks = platform.world.github.webhooks
    webhooks.send(SOURCE, "pull_request", {**_payload(late), "number": 1})
    await platform.hub_has_heard()
    platform.world.tekton.pace.release()
    await platform.settled()

    assert platform.states()[second.sha] == "Succeeded"
    assert len(platform.pipeline_runs()) == 2
    verdict = await platform.verdict(
        "start_pipeline_run", platform.last_delivery("pull_request").guid
    )
    assert verdict == f"skipped: the pull request has moved on to {second.sha}"


async def test_a_finished_run_is_left_as_it_is(platform):
    _, first = await begun(platform)
    platform.world.tekton.pace.release()
    await platform.settled()
    (before,) = platform.pipeline_runs()
    await platform.world.push(branch="topic", message="Better")
    await platform.settled()

    assert platform.states()[first.sha] == "Succeeded"
    assert before in platform.pipeline_runs()


async def test_other_pull_requests_and_branches_go_on(platform):
    await begun(platform)
    main = await platform.world.push(message="Released")
    other = await platform.world.push(branch="other", message="Something else")
    await platform.world.github.open_pull_request(SOURCE, "other", "Something else")
    await platform.hub_has_heard()
    await platform.world.push(branch="topic", message="Better")
    await platform.hub_has_heard()
    platform.world.tekton.pace.release()
    await platform.settled()

    assert platform.states()[main.sha] == "Succeeded"
    assert platform.states()[other.sha] == "Succeeded"


async def test_a_run_that_somebody_else_has_made_is_not_ours_to_cancel(platform):
    _, first = await begun(platform)
    (run,) = platform.pipeline_runs()
    metadata = run["metadata"]
    platform.world.cluster.patch(
        PIPELINE_RUNS,
        metadata["namespace"],
        metadata["name"],
        {"metadata": {"labels": {"app.kubernetes.io/managed-by": "somebody"}}},
    )
    await platform.world.push(branch="topic", message="Better")
    await platform.hub_has_heard()
    platform.world.tekton.pace.release()
    await platform.settled()

    assert platform.states()[first.sha] == "Succeeded"


@pytest.mark.parametrize("title", ["$(touch /tmp/x)", "<!channel> `rm -rf`", "a\nb\u202e"])
async def test_the_words_of_a_pull_request_stand_nowhere_in_its_run(platform, title):
    await begun(platform, message=title)
    platform.world.tekton.pace.release()
    await platform.settled()

    (run,) = platform.pipeline_runs()
    assert title not in str(run)
    assert labels_of(run)["trunkline.dev/pull-request"] == "1"


def _payload(delivery):
    return orjson.loads(delivery.payload)
