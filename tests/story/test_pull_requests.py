"""Pull requests: those of the repository itself are tried out, a stranger's code never runs."""

from story_platform import SOURCE

from hub.sandbox.tekton import Outcome
from hub.sandbox.tekton.states import params_of


async def test_a_pull_request_of_the_same_repository_is_built_but_not_deployed(platform):
    """T30."""
    world = platform.world
    commit = await world.push(branch="topic")
    await world.github.open_pull_request(SOURCE, "topic", "Try this")
    await platform.settled()

    (run,) = platform.pipeline_runs()
    assert platform.revisions_built() == [commit.sha]
    assert params_of(run)["push-image"] == "false"
    assert platform.statuses(commit)[-1] == "success"
    assert await platform.bumps() == []
    assert platform.messages() == []


async def test_a_pull_request_that_moves_on_is_built_again(platform):
    world = platform.world
    first = await world.push(branch="topic")
    await world.github.open_pull_request(SOURCE, "topic", "Try this")
    await platform.settled()
    second = await world.push(branch="topic", message="Better")
    await platform.settled()

    assert platform.revisions_built() == [first.sha, second.sha]


async def test_a_failed_pull_request_is_told_on_its_commit_and_not_in_the_channel(platform):
    world = platform.world
    world.tekton.outcome("order-service", Outcome.FAILED, message="3 tests failed")
    commit = await world.push(branch="topic")
    await world.github.open_pull_request(SOURCE, "topic", "Try this")
    await platform.settled()

    (status,) = world.github.statuses.latest(SOURCE, commit.sha)
    assert (status.state, status.description) == (
        "failure",
        "The pipeline has failed in test: 3 tests failed",
    )
    assert platform.messages() == []


async def test_a_pull_request_from_a_fork_runs_nothing(platform):
    """T30, C11."""
    world = platform.world
    world.github.fork(SOURCE, "stranger")
    commit = await world.github.push("stranger/order-service", "topic", "Mine some coins")
    await world.github.open_pull_request(SOURCE, "topic", "Hi", head="stranger/order-service")
    await platform.settled()

    assert platform.pipeline_runs() == []
    assert platform.statuses(commit) == []
    delivery = platform.last_delivery("pull_request")
    assert await platform.verdict("start_pipeline_run", delivery.guid) == (
        "skipped: it comes from a fork: its commit waits for an approval"
    )


async def test_no_comment_can_make_a_stranger_s_code_run(platform):
    """T31."""
    world = platform.world
    world.github.fork(SOURCE, "stranger")
    await world.github.push("stranger/order-service", "topic", "Mine some coins")
    await world.github.open_pull_request(SOURCE, "topic", "Hi", head="stranger/order-service")
    (own,) = world.github.webhooks.wanting(SOURCE, "push")
    world.github.add_hook(SOURCE, url=own.url, secret=own.secret, events=("issue_comment",))
    comment = {
        "action": "created",
        "issue": {"number": 1, "pull_request": {}},
        "comment": {"body": "/ok-to-test", "author_association": "OWNER"},
        "repository": {"full_name": SOURCE, "name": "order-service", "url": "https://x.example"},
    }
    world.github.webhooks.send(SOURCE, "issue_comment", comment)
    await platform.settled()

    assert platform.last_delivery("issue_comment").status_code == 202
    assert platform.pipeline_runs() == []
