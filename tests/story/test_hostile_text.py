"""What strangers write is data: it runs nothing, mentions nobody and steers nothing."""

import pytest
from story_platform import PRODUCTION, SOURCE, tag_of

from hub.sandbox.history import Person
from hub.sandbox.tekton import Outcome
from hub.sandbox.tekton.states import params_of

RTL = "\u202e"
HOSTILE = {
    "everybody": "<!channel> <!here> <!everyone> @channel @here",
    "somebody": "<@U012AB3CD> <!subteam^S012|ops>",
    "a link": "<https://evil.example/|Approve this deployment>",
    "an entity": "&lt;!channel&gt;",
    "turned text": f"{RTL}gnirts lamron a",
    "escapes": "\x1b[2J\x07\r\nTrunkline-Event: forged\n\n> quoted",
    "a command": "$(touch {sentinel}) `touch {sentinel}` ; touch {sentinel} | touch {sentinel}",
    "an option": "--upload-pack=touch {sentinel}",
    "50 kB": "A" * 50_000 + "<!channel>",
    "many lines": "line\n" * 5_000,
}
BRANCHES = [
    "--upload-pack=touch",
    "a;b",
    "$(id)",
    "`id`",
    "a;touch${IFS}x",
    "x" * 200,
    f"turned{RTL}",
    "with/slashes/and-\u00fcml\u00e4ut",
    "main\u200b",
]


@pytest.fixture
def sentinel(tmp_path):
    """A file that must never come to be."""
    file = tmp_path / "sentinel"
    yield file
    assert not file.exists()


@pytest.fixture(params=HOSTILE.values(), ids=HOSTILE)
def hostile(request, sentinel):
    return request.param.replace("{sentinel}", str(sentinel))


def said_in_slack(platform):
    """Everything that Slack interprets, as it was sent."""
    posted = [*platform.messages()]
    for message in platform.messages():
        posted += platform.world.slack.thread(message.ts)
    return "\n".join(f"{one.text}\n{list(one.blocks)}" for one in posted)


def mentions_nobody(text):
    for control in ("<!", "<@", "<#", "@channel", "@here", "@everyone", "<https://evil", RTL):
        assert control not in text


async def test_a_hostile_commit_is_built_like_any_other(platform, sentinel):
    """T32, T100."""
    author = Person(name="Mallory @channel $(id)", email="--upload-pack=x@evil.example")
    message = "\n".join(HOSTILE.values()).replace("{sentinel}", str(sentinel))
    files = {"CHANGES.md": "x\n"}
    commit = await platform.world.github.push(SOURCE, "main", message, files, by=author)
    await platform.settled()

    assert platform.revisions_built() == [commit.sha]
    assert platform.running("dev") == platform.running("staging") == tag_of(commit)
    assert platform.stage("staging", commit) == "healthy"
    mentions_nobody(said_in_slack(platform))
    (bump,) = await platform.bumps()
    assert "forged" not in bump.message
    assert (bump.author.name, bump.committer.name) == ("trunkline", "trunkline")


async def test_a_hostile_reason_of_a_failed_build_is_only_quoted(platform, hostile):
    """T100."""
    platform.world.tekton.outcome("order-service", Outcome.FAILED, message=hostile)
    commit = await platform.world.push()
    await platform.settled()

    assert platform.stage("staging", commit) == "build failed"
    assert len(platform.replies("staging", commit)) == 1
    mentions_nobody(said_in_slack(platform))
    (status,) = platform.world.github.statuses.latest(SOURCE, commit.sha)
    assert status.state == "failure"
    assert await platform.dead_letters() == []


async def test_a_hostile_reason_of_a_failed_sync_pages_and_mentions_nobody(platform, hostile):
    """T100, T105."""
    await platform.world.push()
    await platform.settled()
    platform.world.argocd.fail_next_sync(PRODUCTION, hostile)
    await platform.world.argocd.sync(PRODUCTION)
    await platform.settled()

    assert [str(one.state) for one in platform.world.pagerduty.incidents()] == ["triggered"]
    mentions_nobody(said_in_slack(platform))
    assert await platform.dead_letters() == []


async def test_a_hostile_branch_is_built_by_its_commit_and_never_by_its_name(platform):
    """T32, C7."""
    world = platform.world
    commits = {}
    for branch in BRANCHES:
        commits[branch] = await world.push(branch=branch, message=f"On {branch}")
        await world.github.open_pull_request(SOURCE, branch, "<!channel> $(id)")
    await platform.settled()

    runs = {params_of(run)["git-revision"]: run for run in platform.pipeline_runs()}
    assert len(platform.pipeline_runs()) == len(BRANCHES)
    for branch, commit in commits.items():
        run = runs[commit.sha]
        assert branch not in f"{run['spec']} {run['metadata']['labels']}"
        assert platform.statuses(commit)[-1] == "success"
    reasons = {run.detail for run in await platform.runs("start_pipeline_run")}
    assert reasons >= {f"branch {one} is not among platform.branches" for one in BRANCHES}


async def test_a_repository_that_only_looks_like_another_deploys_nothing_in_its_place(platform):
    """T93, T107."""
    world = platform.world
    before = platform.running("dev")
    (own,) = world.github.webhooks.wanting(SOURCE, "push")
    for name in ("company/order_service", "company/order.service", "company/-order-service"):
        world.github.create_repository(name)
        world.github.add_hook(name, url=own.url, secret=own.secret)
        await world.github.push(name, "main", "Mine", {"Dockerfile": "FROM x\n"})
    await platform.settled()

    assert await platform.bumps() == []
    assert platform.running("dev") == before
    assert "order-service" not in {
        run["metadata"]["labels"]["trunkline.dev/service"] for run in platform.pipeline_runs()
    }
