"""Deliveries repeat, come twice and come backwards; one thing that happened has one effect."""

import orjson
from story_platform import SOURCE, tag_of


def seen_once(platform, commit):
    """Check that one push has had the effects of one push."""
    assert platform.revisions_built() == [commit.sha]
    assert platform.statuses(commit)[-1] == "success"
    assert len(platform.messages()) == 2
    for environment in ("dev", "staging"):
        assert platform.running(environment) == tag_of(commit)
        assert platform.stage(environment, commit) == "healthy"


async def test_a_redelivered_push_starts_no_second_run(platform):
    """T2."""
    commit = await platform.world.push()
    await platform.settled()
    first = platform.last_delivery()
    platform.world.github.webhooks.redeliver(first.id)
    await platform.settled()

    again = platform.last_delivery()
    assert again.id != first.id
    assert again.status_code == 202
    assert orjson.loads(again.response_body)["duplicate"] is True
    assert len(await platform.runs("start_pipeline_run")) == 1
    seen_once(platform, commit)


async def test_a_push_that_comes_through_two_hooks_is_built_once(platform):
    """T81."""
    (own,) = platform.world.github.webhooks.wanting(SOURCE, "push")
    platform.world.github.add_hook(SOURCE, url=own.url, secret=own.secret)
    commit = await platform.world.push()
    await platform.settled()

    runs = await platform.runs("start_pipeline_run")
    assert [str(run.state) for run in runs] == ["done", "done"]
    seen_once(platform, commit)
    assert len(await platform.bumps()) == 1


async def test_a_push_that_came_while_the_hub_was_down_is_taken_when_it_is_redelivered(platform):
    """T19; T33, but for the asking."""
    await platform.stop()
    commit = await platform.world.push()
    await platform.world.settled()
    missed = platform.last_delivery()
    assert not missed.accepted

    await platform.start()
    platform.world.github.webhooks.redeliver(missed.id)
    await platform.settled()
    seen_once(platform, commit)


async def test_tekton_sends_everything_three_times(platform):
    """T63."""
    platform.world.tekton.events.copies = 3
    commit = await platform.world.push()
    await platform.settled()

    seen_once(platform, commit)
    assert len(await platform.bumps()) == 1
    assert len(await platform.runs("bump_image_tag")) == 1


async def test_tekton_sends_a_run_backwards(platform):
    """T41."""
    platform.world.tekton.events.backwards = True
    commit = await platform.world.push()
    await platform.settled()

    seen_once(platform, commit)
    assert {*platform.statuses(commit)} == {"success"}


async def test_argocd_notifies_again_after_a_crash_of_its_own(platform):
    """T40."""
    commit = await platform.world.push()
    await platform.settled()
    before = platform.messages()
    for environment in ("dev", "staging"):
        platform.world.argocd.notifications.repeat(f"order-service-{environment}")
    await platform.settled()

    assert platform.messages() == before
    seen_once(platform, commit)


async def test_argocd_tells_the_end_of_a_sync_before_its_beginning(platform):
    """T41."""
    notifications = platform.world.argocd.notifications
    service, notifications.service = notifications.service, None
    commit = await platform.world.push()
    await platform.settled()
    notifications.service = service

    for environment in ("dev", "staging"):
        app = platform.application(f"order-service-{environment}")
        assert await platform.tell_as_argocd("health", app) == 202
        assert await platform.tell_as_argocd("operation", app) == 202
        app["status"]["operationState"] |= {"phase": "Running", "finishedAt": None}
        assert await platform.tell_as_argocd("operation", app) == 202
    await platform.settled()
    seen_once(platform, commit)


async def test_replaying_all_that_ever_happened_changes_nothing(platform):
    """T80, T85."""
    commit = await platform.world.push()
    await platform.settled()
    messages = platform.messages()
    bumps = await platform.bumps()
    for handler in await platform.handlers():
        for run in await platform.runs(handler):
            assert await platform.hub.journal.replay(run.id, again=True)
    await platform.settled()

    seen_once(platform, commit)
    assert platform.messages() == messages
    assert await platform.bumps() == bumps
    assert platform.world.pagerduty.incidents() == ()
    assert await platform.dead_letters() == []


async def test_a_run_that_was_pruned_is_not_started_again_by_an_ordinary_replay(platform):
    """T85."""
    await platform.world.push()
    await platform.settled()
    platform.prune_pipeline_runs()
    (run,) = await platform.runs("start_pipeline_run")
    assert not await platform.hub.journal.replay(run.id, again=False)
    platform.world.github.webhooks.redeliver(platform.last_delivery().id)
    await platform.settled()

    assert platform.pipeline_runs() == []
