"""What a run's state becomes on its commit, and what is run again: an event in, the actions out."""

from dataclasses import replace
from typing import Any

import pytest

from handlers import report_pipeline_status, rerun_pipeline
from hub.actions.github import CheckState, KeepCheckRun, SetCommitStatus
from hub.actions.tekton import PipelineRun, ReadPipelineRun, RunState, StartPipelineRun
from hub.dispatch.outcome import Skipped
from hub.dispatch.platform import Platform
from hub.dispatch.rehearsal import rehearse
from hub.events.github import CheckRunRerequested
from hub.events.tekton import PipelineRunFinished

SHA = "a1" * 20
PLATFORM = Platform(repositories=("company/*",))
FINISHED = PipelineRunFinished.model_validate(
    {"pipelineRun": {"metadata": {"namespace": "ci", "name": "order-service-a1", "uid": "u"}}}
)


BEFORE = PipelineRun(
    namespace="ci",
    name="order-service-a1",
    state=RunState.FAILED,
    service="order-service",
    repository="company/order-service",
    branch="main",
    revision=SHA,
    uid="u",
    ref="refs/heads/main",
    pipeline="microservice-ci",
    attempt=2,
    failed_tasks=("unit-test",),
)


def rerequested(**changes: Any) -> CheckRunRerequested:
    fields = {
        "name": "trunkline/ci",
        "head_sha": SHA,
        "external_id": "ci/order-service-a1/u",
        **changes,
    }
    return CheckRunRerequested.model_validate(
        {"repository": {"full_name": "company/order-service"}, "check_run": fields}
    )


async def test_what_is_asked_for_again_is_what_the_cluster_says_was_built():
    rehearsal = await rehearse(
        rerun_pipeline, rerequested(), platform=PLATFORM, replies={ReadPipelineRun: BEFORE}
    )
    (started_again,) = rehearsal.of(StartPipelineRun)
    assert started_again == StartPipelineRun(
        pipeline="microservice-ci",
        service="order-service",
        repository="company/order-service",
        clone_url="https://github.com/company/order-service.git",
        ref="refs/heads/main",
        revision=SHA,
        push_image=True,
        attempt=3,
    )


@pytest.mark.parametrize(
    ("asked", "before", "reason"),
    [
        ({"name": "somebody/else"}, {}, "the check somebody/else is not the hub's"),
        ({"external_id": None}, {}, "the check run names no PipelineRun"),
        ({"external_id": "ci/../secrets/x"}, {}, "the check run names no PipelineRun"),
        ({"head_sha": "b" * 40}, {}, "the PipelineRun built another commit"),
        ({}, {"repository": "company/another"}, "the PipelineRun built another commit"),
        ({}, {"state": RunState.GONE}, "the PipelineRun is not in the cluster any more"),
        ({}, {"state": RunState.RUNNING}, "has not ended yet"),
    ],
)
async def test_a_check_run_that_is_not_to_be_run_again_says_why(asked, before, reason):
    rehearsal = await rehearse(
        rerun_pipeline,
        rerequested(**asked),
        platform=PLATFORM,
        replies={ReadPipelineRun: replace(BEFORE, **before)},
    )
    assert isinstance(rehearsal.outcome, Skipped)
    assert reason in rehearsal.outcome.reason
    assert rehearsal.of(StartPipelineRun) == ()


async def test_a_commit_status_names_the_task_that_failed_too():
    rehearsal = await rehearse(
        report_pipeline_status,
        FINISHED,
        platform=PLATFORM,
        replies={ReadPipelineRun: replace(BEFORE, message="3 failed")},
    )
    (status,) = rehearsal.of(SetCommitStatus)
    assert status.description == "The pipeline has failed in unit-test: 3 failed"


@pytest.mark.parametrize(
    ("state", "check"),
    [
        (RunState.PENDING, CheckState.QUEUED),
        (RunState.RUNNING, CheckState.IN_PROGRESS),
        (RunState.SUCCEEDED, CheckState.SUCCESS),
        (RunState.FAILED, CheckState.FAILURE),
        (RunState.CANCELLED, CheckState.CANCELLED),
        (RunState.TIMED_OUT, CheckState.TIMED_OUT),
    ],
)
async def test_an_app_keeps_a_check_run_for_each_state_and_no_status(state, check):
    rehearsal = await rehearse(
        report_pipeline_status,
        FINISHED,
        platform=replace(PLATFORM, checks=True),
        replies={ReadPipelineRun: replace(BEFORE, state=state)},
    )
    (kept,) = rehearsal.of(KeepCheckRun)
    assert (kept.state, kept.run) == (check, "ci/order-service-a1/u")
    assert rehearsal.of(SetCommitStatus) == ()
