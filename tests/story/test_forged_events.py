"""Tekton and Argo CD cannot sign. Whatever is told in their name, the cluster decides."""

from copy import deepcopy

import aiohttp
import pytest
from story_platform import PRODUCTION

from hub.sandbox.tekton import Outcome

ANOTHER_TIME = "2020-01-01T00:00:00Z"
EVIL = "evil.example/company/order-service"


def as_success(run, **metadata):
    """What a forger makes of a run: a success, with an image of the forger's own."""
    forged = deepcopy(run)
    forged["metadata"] |= metadata
    condition = {
        "type": "Succeeded",
        "status": "True",
        "reason": "Succeeded",
        "message": "Tasks Completed: 4",
        "lastTransitionTime": ANOTHER_TIME,
    }
    results = {"IMAGE_URL": EVIL, "IMAGE_TAG": "evil", "IMAGE_DIGEST": f"sha256:{'e' * 64}"}
    forged["status"] = (forged.get("status") or {}) | {
        "conditions": [condition],
        "completionTime": ANOTHER_TIME,
        "results": [{"name": name, "value": value} for name, value in results.items()],
    }
    return forged


async def failed_run(platform):
    platform.world.tekton.outcome("order-service", Outcome.FAILED, times=1)
    commit = await platform.world.push()
    await platform.settled()
    (run,) = platform.pipeline_runs()
    return commit, run


async def test_the_forged_success_of_a_failed_run_deploys_nothing(platform):
    commit, run = await failed_run(platform)
    before = [message.shown for message in platform.messages()]
    assert await platform.tell_as_tekton("successful", as_success(run)) == 202
    await platform.settled()

    assert await platform.bumps() == []
    assert platform.statuses(commit)[-1] == "failure"
    assert [message.shown for message in platform.messages()] == before
    (event,) = await platform.events("dev.tekton.event.pipelinerun.successful")
    said = await platform.verdict("bump_image_tag", event.id)
    assert said == f"skipped: the run {run['metadata']['name']} is failed"


@pytest.mark.parametrize(
    "metadata",
    [
        pytest.param({"name": "order-service-forged"}, id="another-name"),
        pytest.param({"uid": "00000000-0000-4000-8000-000000000000"}, id="another-uid"),
        pytest.param({"namespace": "argocd"}, id="another-namespace"),
        pytest.param({"name": "../../secrets/token"}, id="a-path-as-name"),
    ],
)
async def test_the_forged_success_of_a_run_that_is_not_there_has_no_effect(platform, metadata):
    commit, run = await failed_run(platform)
    assert await platform.tell_as_tekton("successful", as_success(run, **metadata)) == 202
    await platform.settled()

    assert await platform.bumps() == []
    assert len(platform.messages()) == 2
    assert platform.statuses(commit)[-1] == "failure"
    (event,) = await platform.events("dev.tekton.event.pipelinerun.successful")
    assert (await platform.verdict("bump_image_tag", event.id)).endswith(" is gone")


async def test_the_forged_image_of_a_true_success_is_not_deployed(platform):
    commit = await platform.world.push()
    await platform.settled()
    (run,) = platform.pipeline_runs()
    assert await platform.tell_as_tekton("successful", as_success(run)) == 202
    await platform.settled()

    assert len(await platform.bumps()) == 1
    for environment in ("dev", "staging"):
        assert EVIL not in str(platform.world.running("order-service", environment))
        assert platform.stage(environment, commit) == "healthy"


async def test_the_forged_success_of_a_run_that_still_goes_on_waits_for_the_true_one(platform):
    platform.world.tekton.pace.hold()
    commit = await platform.world.push()
    await platform.until_stage("dev", commit, "building")
    (run,) = platform.pipeline_runs()
    assert await platform.tell_as_tekton("successful", as_success(run)) == 202
    await platform.hub_is_idle(retrying=True)

    assert {*platform.statuses(commit)} == {"pending"}
    assert platform.stage("dev", commit) == "building"
    assert await platform.bumps() == []

    platform.world.tekton.pace.release()
    await platform.world.settled()
    platform.clock.skip(60)
    await platform.settled()

    assert platform.statuses(commit)[-1] == "success"
    assert platform.stage("dev", commit) == "healthy"
    assert len(await platform.bumps()) == 1


async def test_a_forged_degradation_of_production_pages_nobody(platform):
    """T38."""
    app = platform.application(PRODUCTION)
    app["status"]["health"] = {"status": "Degraded", "lastTransitionTime": ANOTHER_TIME}
    assert await platform.tell_as_argocd("health", app) == 202
    await platform.settled()

    assert platform.world.pagerduty.incidents() == ()


async def test_a_forged_recovery_of_production_resolves_nothing(platform):
    """T38."""
    platform.world.argocd.degrade(PRODUCTION, "readiness probe failed")
    await platform.settled()
    app = platform.application(PRODUCTION)
    app["status"]["health"] = {"status": "Healthy", "lastTransitionTime": ANOTHER_TIME}
    assert await platform.tell_as_argocd("health", app) == 202
    await platform.settled()

    (incident,) = platform.world.pagerduty.incidents()
    assert incident.state == "triggered"


async def test_a_forged_healthy_deployment_is_not_announced(platform):
    """T38."""
    platform.world.argocd.fail_next_sync("order-service-staging", "no room")
    commit = await platform.world.push()
    await platform.settled()
    app = platform.application("order-service-staging")
    app["status"]["operationState"] |= {"phase": "Succeeded", "startedAt": ANOTHER_TIME}
    app["status"]["health"] = {"status": "Healthy", "lastTransitionTime": ANOTHER_TIME}
    assert await platform.tell_as_argocd("deployed", app) == 202
    await platform.settled()

    assert platform.stage("staging", commit) == "sync failed"


async def test_an_application_that_is_not_there_is_nobody_s_business(platform):
    """T38."""
    app = platform.application(PRODUCTION)
    app["metadata"] |= {"name": "payment-production", "uid": "made-up"}
    app["status"]["health"] = {"status": "Degraded", "lastTransitionTime": ANOTHER_TIME}
    assert await platform.tell_as_argocd("health", app) == 202
    await platform.settled()

    assert platform.world.pagerduty.incidents() == ()
    assert await platform.dead_letters() == []


async def test_without_the_door_s_key_nothing_is_even_heard(platform):
    """T37."""
    tekton = f"{platform.world.tekton.events.sink}x"
    argocd = platform.world.argocd.notifications.service.url
    async with aiohttp.ClientSession() as session:
        for url, headers in ((tekton, {}), (argocd, {"Authorization": f"Bearer {'x' * 43}"})):
            async with session.post(url, data=b"{}", headers=headers) as answer:
                assert answer.status == 401
    assert await platform.events() == []
