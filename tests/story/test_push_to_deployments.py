"""The main story: a push travels to its environments, and everybody can see it."""

from story_platform import SOURCE, eventually, tag_of


async def test_a_push_to_main_travels_to_dev_and_staging(platform):
    """T1, T35."""
    commit = await platform.world.push(message="Charge the card only once")
    await platform.settled()

    assert platform.revisions_built() == [commit.sha]
    assert platform.statuses(commit)[-1] == "success"
    for environment in ("dev", "staging"):
        assert platform.running(environment) == tag_of(commit)
        assert platform.stage(environment, commit) == "healthy"
    assert len(platform.messages()) == 2
    assert platform.running("production") != tag_of(commit)


async def test_a_push_to_develop_travels_to_dev_only(platform):
    staging_before = platform.running("staging")
    commit = await platform.world.push(branch="develop")
    await platform.settled()

    assert platform.running("dev") == tag_of(commit)
    assert platform.running("staging") == staging_before
    assert [message.text.partition(":")[0] for message in platform.messages()] == [
        "order-service → dev"
    ]


async def test_the_status_is_pending_while_the_pipeline_runs(platform):
    platform.world.tekton.pace.hold()
    commit = await platform.world.push()

    async def is_reported():
        return platform.statuses(commit)

    await eventually(is_reported)
    assert {*platform.statuses(commit)} == {"pending"}

    platform.world.tekton.pace.release()
    await platform.settled()
    assert platform.statuses(commit)[-1] == "success"


async def test_one_message_follows_the_deployment_stage_by_stage(platform):
    world = platform.world
    world.tekton.pace.hold()
    world.argocd.pace.hold()
    commit = await world.push()
    await platform.until_stage("staging", commit, "building")
    posted = platform.message("staging", commit)

    world.tekton.pace.release()
    await platform.until_stage("staging", commit, "syncing")
    world.argocd.pace.release()
    await platform.settled()

    message = platform.message("staging", commit)
    assert message.ts == posted.ts
    assert platform.stage("staging", commit) == "healthy"
    lines = [line.partition(":")[0] for line in message.text.splitlines()[1:]]
    assert lines[:3] == ["building", "built", "bumped"]
    assert lines[-1] == "healthy"


async def test_the_log_tells_the_whole_way_of_a_push(platform):
    commit = await platform.world.push()
    await platform.settled()

    explanation = await platform.explain(platform.last_delivery().guid)
    envelope = explanation.record.envelope
    assert (envelope.type, envelope.hubkey) == ("com.github.push", "github/sandbox")
    (started,) = [one for one in explanation.handlers if one.handler == "start_pipeline_run"]
    assert [step.name for step in started.story.steps] == ["tekton.start_pipeline_run"]
    assert commit.sha in started.story.steps[0].result
    others = [one for one in explanation.handlers if one.handler != "start_pipeline_run"]
    assert {one.reason for one in others} == {"it is for other types of events"}


async def test_two_pushes_in_a_row_are_two_deployments_and_the_newer_one_stays(platform):
    """T29."""
    first = await platform.world.push(message="First")
    second = await platform.world.push(message="Second")
    await platform.settled()

    assert {*platform.revisions_built()} == {first.sha, second.sha}
    assert await platform.wanted("staging") == platform.running("staging") == tag_of(second)
    assert platform.stage("staging", second) == "healthy"


async def test_a_forced_push_is_built_as_it_stands(platform):
    """T26."""
    repository = platform.world.github.repositories[SOURCE]
    await platform.world.push(message="To be dropped")
    await platform.settled()
    other = await repository.commit("topic", "Instead of it", {"README.md": "other\n"})
    await repository.set_ref("refs/heads/main", other.sha)
    await platform.settled()

    assert platform.running("dev") == platform.running("staging") == tag_of(other)


async def test_a_bump_changes_the_scalars_and_nothing_else(platform):
    path = "services/order-service/overlays/staging/kustomization.yaml"
    before = (await platform.world.gitops.read_file("main", path)).decode().splitlines()
    commit = await platform.world.push()
    await platform.settled()

    after = (await platform.world.gitops.read_file("main", path)).decode().splitlines()
    changed = [new for old, new in zip(before, after, strict=True) if old != new]
    assert changed[0] == f'    newTag: "{tag_of(commit)}"  # kept by Trunkline'
    assert [line.split(":")[0].strip() for line in changed] == ["newTag", "digest"]
    (bump,) = await platform.bumps()
    assert "Trunkline-Event: " in bump.message
