"""What each handler decides: an event in, the actions out. No server, no network."""

from typing import Any

import pytest

from handlers import (
    HANDLERS,
    announce_dead_letter,
    announce_deployment,
    bump_image_tag,
    page_on_degraded,
    report_pipeline_status,
    start_pipeline_run,
    track_deployment,
)
from hub.actions.argocd import Application, ReadApplication
from hub.actions.github import ReadPullRequest, SetCommitStatus, StatusState
from hub.actions.gitops import (
    Bump,
    BumpImage,
    BumpState,
    EnvironmentBump,
    Image,
    ReadImage,
)
from hub.actions.hub import Emit, FindRevision, ReadDeployment, ReadEvent, RecordSighting
from hub.actions.pagerduty import ResolveIncident, SendChangeEvent, TriggerIncident
from hub.actions.slack import KeepMessage, ReplyInThread
from hub.actions.tekton import PipelineRun, ReadPipelineRun, RunState, StartPipelineRun
from hub.dispatch.outcome import Dead, Done, Skipped
from hub.dispatch.platform import Platform
from hub.dispatch.rehearsal import Rehearsal, rehearse
from hub.events.argocd import ApplicationChanged
from hub.events.deployment import Deployment, Sighting, Stage
from hub.events.envelope import Envelope
from hub.events.github import PullRequest, Push
from hub.events.tekton import PipelineRunFinished, PipelineRunStarted
from hub.events.trunkline import DeploymentChanged, ImageBumped, ImageSuperseded, RunDeadLettered
from hub.events.types import (
    HEALTH_DEGRADED,
    IMAGE_SUPERSEDED,
    PIPELINE_RUN_SUCCESSFUL,
    RUN_DEAD_LETTERED,
    SYNC_SUCCEEDED,
)

SHA = "a1" * 20
DIGEST = "sha256:" + "d" * 64
PLATFORM = Platform(
    repositories=("company/*",),
    run_url="https://tekton.example",
    application_url="https://argocd.example",
)


def push(**changes: Any) -> Push:
    body = {
        "ref": "refs/heads/main",
        "after": SHA,
        "repository": {"full_name": "company/order-service", "name": "order-service"},
    }
    return Push.model_validate(body | changes)


def pull_request(*, head: str = "company/order-service") -> PullRequest:
    return PullRequest.model_validate(
        {
            "repository": {"full_name": "company/order-service", "name": "order-service"},
            "pull_request": {
                "number": 7,
                "head": {"sha": SHA, "ref": "topic", "repo": {"full_name": head}},
                "base": {"ref": "main", "repo": {"full_name": "company/order-service"}},
            },
        }
    )


def run(state: RunState = RunState.SUCCEEDED, **changes: Any) -> PipelineRun:
    fields: dict[str, Any] = {
        "namespace": "ci",
        "name": "order-service-a1",
        "state": state,
        "service": "order-service",
        "repository": "company/order-service",
        "branch": "main",
        "revision": SHA,
        "started_at": "2026-11-22T10:00:00Z",
        "finished_at": "2026-11-22T10:05:00Z",
        "results": {
            "IMAGE_URL": "registry:5000/company/order-service:main-a1",
            "IMAGE_DIGEST": DIGEST,
        },
    }
    return PipelineRun(**(fields | changes))


def finished() -> PipelineRunFinished:
    return PipelineRunFinished.model_validate(
        {"pipelineRun": {"metadata": {"namespace": "ci", "name": "order-service-a1", "uid": "u"}}}
    )


def started() -> PipelineRunStarted:
    return PipelineRunStarted.model_validate(
        {"pipelineRun": {"metadata": {"namespace": "ci", "name": "order-service-a1", "uid": "u"}}}
    )


def changed(**operation: str) -> ApplicationChanged:
    return ApplicationChanged.model_validate(
        {
            "metadata": {"namespace": "argocd", "name": "order-service-production", "uid": "u"},
            "status": {"operationState": operation},
        }
    )


def app(**changes: Any) -> Application:
    fields: dict[str, Any] = {
        "namespace": "argocd",
        "name": "order-service-production",
        "exists": True,
        "health": "Healthy",
        "health_since": "2026-11-22T10:10:30Z",
        "sync": "Synced",
        "phase": "Succeeded",
        "revision": "c" * 40,
        "started_at": "2026-11-22T10:10:00Z",
        "finished_at": "2026-11-22T10:10:10Z",
        "service": "order-service",
        "environment": "production",
    }
    return Application(**(fields | changes))


def deployment_changed(stage: Stage, *, detail: str = "") -> DeploymentChanged:
    return DeploymentChanged(
        service="order-service", environment="staging", revision=SHA, stage=stage, detail=detail
    )


def saying(kind: str, *, time: str | None = None) -> Envelope:
    return Envelope(id="e", source="/argocd", type=kind, partitionkey="k", data=b"{}", time=time)


def dead(handler: str = "bump_image_tag", *, event_id: str = "its-event") -> RunDeadLettered:
    return RunDeadLettered(
        handler=handler,
        event_id=event_id,
        event_source="/tekton",
        event_type=PIPELINE_RUN_SUCCESSFUL,
        error="the branch is protected",
        attempts=1,
    )


async def decided(handler: Any, about: Any, **kwargs: Any) -> Rehearsal:
    return await rehearse(handler, about, platform=PLATFORM, **kwargs)


def test_every_handler_says_in_a_line_what_it_does():
    assert all(handler.summary.endswith(".") for handler in HANDLERS)


async def test_a_push_to_a_built_branch_starts_a_run_of_the_commit():
    rehearsal = await decided(start_pipeline_run, push())
    assert rehearsal.actions == (
        StartPipelineRun(
            pipeline="microservice-ci",
            service="order-service",
            repository="company/order-service",
            clone_url="https://github.com/company/order-service.git",
            ref="refs/heads/main",
            revision=SHA,
            push_image=True,
        ),
    )


@pytest.mark.parametrize(
    ("changes", "reason"),
    [
        ({"deleted": True}, "the ref was deleted"),
        ({"after": "0" * 40}, "the ref was deleted"),
        ({"ref": "refs/tags/v1"}, "refs/tags/v1 is not a branch"),
        ({"ref": "refs/heads/feature/x"}, "branch feature/x is not among platform.branches"),
        ({"ref": "refs/heads/main/x"}, "branch main/x is not among platform.branches"),
        (
            {"repository": {"full_name": "stranger/it", "name": "it"}},
            "stranger/it is not among platform.repositories",
        ),
        (
            {"repository": {"full_name": "company/../evil", "name": "evil"}},
            "company/../evil is not among platform.repositories",
        ),
    ],
)
async def test_a_push_of_anything_else_starts_nothing_and_says_why(changes, reason):
    rehearsal = await decided(start_pipeline_run, push(**changes))
    assert (rehearsal.actions, rehearsal.outcome) == ((), Skipped(reason))


async def test_a_pull_request_is_built_but_its_image_is_not_pushed():
    start = (await decided(start_pipeline_run, pull_request())).actions[-1]
    assert (start.ref, start.revision, start.push_image) == ("refs/pull/7/head", SHA, False)


async def test_a_pull_request_from_a_fork_is_not_built():
    rehearsal = await decided(start_pipeline_run, pull_request(head="stranger/order-service"))
    assert rehearsal.actions == (ReadPullRequest(repository="company/order-service", number=7),)
    assert rehearsal.outcome == Skipped("it comes from a fork, and GitHub does not show it")


@pytest.mark.parametrize(
    ("state", "status"),
    [
        (RunState.RUNNING, StatusState.PENDING),
        (RunState.SUCCEEDED, StatusState.SUCCESS),
        (RunState.FAILED, StatusState.FAILURE),
        (RunState.CANCELLED, StatusState.ERROR),
        (RunState.TIMED_OUT, StatusState.FAILURE),
    ],
)
async def test_the_commit_shows_the_state_that_the_cluster_tells(state, status):
    rehearsal = await decided(
        report_pipeline_status, started(), replies={ReadPipelineRun: run(state, message="why")}
    )
    (report,) = rehearsal.of(SetCommitStatus)
    assert (report.state, report.revision) == (status, SHA)
    assert report.target_url == "https://tekton.example/ci/order-service-a1"


async def test_a_success_that_the_cluster_does_not_know_of_bumps_nothing():
    for state in set(RunState) - {RunState.SUCCEEDED}:
        rehearsal = await decided(bump_image_tag, finished(), replies={ReadPipelineRun: run(state)})
        assert rehearsal.of(BumpImage) == ()
        assert isinstance(rehearsal.outcome, Skipped)


async def test_a_success_is_bumped_in_the_environments_of_its_branch():
    rehearsal = await decided(bump_image_tag, finished(), replies={ReadPipelineRun: run()})
    (bump,) = rehearsal.of(BumpImage)
    assert bump == BumpImage(
        service="order-service",
        environments=("dev", "staging"),
        image=Image(repository="registry:5000/company/order-service", tag="main-a1", digest=DIGEST),
        repository="company/order-service",
        revision=SHA,
    )
    assert [emit.subject for emit in rehearsal.of(Emit)] == [
        "order-service/dev",
        "order-service/staging",
    ]
    assert ImageBumped.model_validate_json(rehearsal.of(Emit)[0].data).digest == DIGEST


async def test_a_superseded_build_is_told_of_and_skipped_with_the_reason():
    superseded = Bump(
        commit=None,
        environments=(
            EnvironmentBump(
                environment="staging", state=BumpState.SUPERSEDED, reason="b2 is newer"
            ),
        ),
    )
    rehearsal = await decided(
        bump_image_tag, finished(), replies={ReadPipelineRun: run(), BumpImage: superseded}
    )
    (told,) = rehearsal.of(Emit)
    assert told.type == IMAGE_SUPERSEDED
    assert ImageSuperseded.model_validate_json(told.data).reason == "b2 is newer"
    assert rehearsal.outcome == Skipped("staging: b2 is newer")


async def test_a_superseded_build_does_not_stay_at_built():
    seen = ImageSuperseded(
        service="order-service",
        environment="staging",
        revision=SHA,
        reason="b2 is newer",
        built_at="2026-11-22T10:05:00Z",
    )
    (record,) = (await decided(track_deployment, seen)).of(RecordSighting)
    assert (record.sighting.stage, record.sighting.detail) == (Stage.NOT_BUMPED, "b2 is newer")


TOLD = '{"pipelineRun": {"metadata": {"namespace": "ci", "name": "order-service-a1", "uid": "u"}}}'


async def test_a_bump_that_died_does_not_stay_at_built():
    rehearsal = await decided(
        track_deployment,
        dead(),
        event=saying(RUN_DEAD_LETTERED, time="2026-11-22T10:06:00Z"),
        replies={ReadEvent: TOLD, ReadPipelineRun: run()},
    )
    assert rehearsal.of(ReadPipelineRun) == (ReadPipelineRun.told_of_by(finished()),)
    failed = Sighting(
        stage=Stage.BUMP_FAILED, at="2026-11-22T10:06:00Z", detail="the branch is protected"
    )
    assert [(record.environment, record.sighting) for record in rehearsal.of(RecordSighting)] == [
        ("dev", failed),
        ("staging", failed),
    ]


@pytest.mark.parametrize(
    ("about", "replies"),
    [
        (dead("page_on_degraded"), {}),
        (dead(), {ReadEvent: None}),
        (dead(), {ReadEvent: TOLD, ReadPipelineRun: run(RunState.FAILED)}),
        (dead(), {ReadEvent: TOLD, ReadPipelineRun: run(RunState.GONE)}),
        (dead(), {ReadEvent: TOLD, ReadPipelineRun: run(branch="")}),
    ],
)
async def test_a_dead_letter_that_holds_up_no_deployment_changes_none(about, replies):
    rehearsal = await decided(track_deployment, about, replies=replies)
    assert rehearsal.of(RecordSighting) == ()
    assert isinstance(rehearsal.outcome, Skipped)


async def test_a_dead_letter_is_told_of_with_the_command_that_runs_it_again():
    rehearsal = await decided(announce_dead_letter, dead(event_id="it's $(evil)"))
    (message,) = rehearsal.of(KeepMessage)
    assert message.title == "bump_image_tag is dead"
    assert {line.label: line.text for line in message.lines} == {
        "error": "the branch is protected",
        "event": f"{PIPELINE_RUN_SUCCESSFUL} it's $(evil)",
        "attempts": "1",
        "replay": """trunkline replay 'it'"'"'s $(evil)' --handler bump_image_tag""",
    }


async def test_each_run_that_died_has_one_message_whose_later_words_count():
    async def message_at(time: str, about: RunDeadLettered) -> KeepMessage:
        event = saying(RUN_DEAD_LETTERED, time=time)
        (message,) = (await decided(announce_dead_letter, about, event=event)).of(KeepMessage)
        return message

    first = await message_at("2026-11-22T10:06:00Z", dead())
    again = await message_at("2026-11-22T11:06:00Z", dead())
    assert again.key == first.key
    assert again.version > first.version
    for other in (dead("page_on_degraded"), dead(event_id="another")):
        assert (await message_at("2026-11-22T10:06:00Z", other)).key != first.key


async def test_what_slack_did_not_take_is_not_told_in_slack():
    rehearsal = await decided(announce_dead_letter, dead("announce_deployment"))
    assert rehearsal.actions == ()
    assert isinstance(rehearsal.outcome, Skipped)


async def test_a_pipeline_without_the_results_is_a_dead_letter_that_names_them():
    rehearsal = await decided(
        bump_image_tag, finished(), replies={ReadPipelineRun: run(results={"IMAGE_URL": "x"})}
    )
    assert isinstance(rehearsal.outcome, Dead)
    assert "IMAGE_DIGEST" in rehearsal.outcome.error


async def test_a_pull_requests_build_is_not_bumped():
    rehearsal = await decided(bump_image_tag, finished(), replies={ReadPipelineRun: run(branch="")})
    assert rehearsal.of(BumpImage) == ()


@pytest.mark.parametrize("event", [started(), finished()])
async def test_a_build_is_tracked_for_each_environment_it_is_for(event):
    rehearsal = await decided(
        track_deployment, event, replies={ReadPipelineRun: run(RunState.RUNNING)}
    )
    assert [
        (record.environment, record.sighting.stage) for record in rehearsal.of(RecordSighting)
    ] == [("dev", Stage.BUILDING), ("staging", Stage.BUILDING)]
    assert [emit.subject for emit in rehearsal.of(Emit)] == [
        "order-service/dev",
        "order-service/staging",
    ]


async def test_the_message_shows_all_that_is_known_by_now():
    deployment = (
        Deployment(service="order-service", environment="staging", revision=SHA)
        .seen(Sighting(stage=Stage.BUILT, at="2026-11-22T10:05:00Z"))
        .seen(Sighting(stage=Stage.BUMPED, at="2026-11-22T10:06:00Z", detail="main-a1 in ccc"))
    )
    rehearsal = await decided(
        announce_deployment, deployment_changed(Stage.BUILT), replies={ReadDeployment: deployment}
    )
    (message,) = rehearsal.of(KeepMessage)
    assert message.key == f"deployment/order-service/staging/{SHA}"
    assert message.title == "order-service → staging: bumped (a1a1a1a)"
    assert [line.label for line in message.lines] == ["built", "bumped"]
    assert message.version == 2


async def test_a_failure_has_its_details_in_the_thread():
    rehearsal = await decided(
        announce_deployment, deployment_changed(Stage.SYNC_FAILED, detail="quota exceeded")
    )
    assert [reply.text for reply in rehearsal.of(ReplyInThread)] == ["sync failed: quota exceeded"]


@pytest.mark.parametrize(
    ("shown", "stage"),
    [
        ({"phase": "Running", "health": "Progressing"}, Stage.SYNCING),
        ({"phase": "Failed"}, Stage.SYNC_FAILED),
        ({"phase": "Error", "health": "Healthy"}, Stage.SYNC_FAILED),
        ({"health": "Degraded"}, Stage.DEGRADED),
        ({"health": "Progressing"}, Stage.SYNCED),
        ({}, Stage.HEALTHY),
    ],
)
async def test_what_the_application_shows_is_tracked(shown, stage):
    rehearsal = await decided(
        track_deployment,
        changed(phase="Succeeded"),
        replies={
            ReadApplication: app(**shown, message="quota"),
            ReadImage: Image(repository="r", tag="t", digest=DIGEST),
            FindRevision: SHA,
        },
    )
    (record,) = rehearsal.of(RecordSighting)
    assert (record.environment, record.revision) == ("production", SHA)
    assert record.sighting.stage is stage
    assert len(rehearsal.of(Emit)) == 1


async def test_an_image_that_was_built_elsewhere_is_not_tracked():
    rehearsal = await decided(
        track_deployment,
        changed(phase="Succeeded"),
        replies={
            ReadApplication: app(),
            ReadImage: Image(repository="r", tag="t", digest=DIGEST),
        },
    )
    assert rehearsal.of(RecordSighting) == ()


@pytest.mark.parametrize("shown", [{"health": "Degraded"}, {"phase": "Failed"}, {"phase": "Error"}])
async def test_production_in_trouble_pages(shown):
    rehearsal = await decided(
        page_on_degraded, changed(phase="Succeeded"), replies={ReadApplication: app(**shown)}
    )
    (page,) = rehearsal.of(TriggerIncident)
    assert page.dedup_key == "argocd:order-service-production"


async def test_production_that_is_healthy_again_resolves_under_the_same_key():
    rehearsal = await decided(
        page_on_degraded, changed(phase="Succeeded"), replies={ReadApplication: app()}
    )
    (resolve,) = rehearsal.of(ResolveIncident)
    assert resolve.dedup_key == "argocd:order-service-production"


async def test_staging_pages_nobody():
    rehearsal = await decided(
        page_on_degraded,
        changed(phase="Failed"),
        replies={ReadApplication: app(environment="staging", phase="Failed")},
    )
    assert rehearsal.of(TriggerIncident) == ()
    assert rehearsal.outcome == Skipped("order-service-production is not in production")


@pytest.mark.parametrize(
    ("kind", "started_at", "changes"),
    [
        (SYNC_SUCCEEDED, "2026-11-22T10:10:00Z", 1),
        (SYNC_SUCCEEDED, "2026-11-22T09:00:00Z", 0),
        (HEALTH_DEGRADED, "2026-11-22T10:10:00Z", 0),
    ],
)
async def test_each_production_deployment_is_one_change_event(kind, started_at, changes):
    rehearsal = await decided(
        page_on_degraded,
        changed(phase="Succeeded", startedAt=started_at),
        event=saying(kind),
        replies={ReadApplication: app()},
    )
    assert len(rehearsal.of(SendChangeEvent)) == changes
    assert rehearsal.outcome == Done()
