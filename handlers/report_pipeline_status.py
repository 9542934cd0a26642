"""A PipelineRun's state stands on its source commit: it waits, it runs, then the result.

As a check run where the hub is a GitHub App, which says which task failed and can be asked for
again; else as a commit status.
"""

from hub.actions.github import CheckState, KeepCheckRun, SetCommitStatus, StatusState
from hub.actions.tekton import PipelineRun, ReadPipelineRun, RunState
from hub.dispatch import Do, Skipped, on
from hub.events.tekton import PipelineRunFinished, PipelineRunStarted
from hub.events.trunkline import PipelineRunQueued

_STATUS = {
    RunState.PENDING: (StatusState.PENDING, "The pipeline waits for others to end"),
    RunState.RUNNING: (StatusState.PENDING, "The pipeline is running"),
    RunState.SUCCEEDED: (StatusState.SUCCESS, "The pipeline has succeeded"),
    RunState.FAILED: (StatusState.FAILURE, "The pipeline has failed"),
    RunState.CANCELLED: (StatusState.ERROR, "The pipeline was cancelled"),
    RunState.TIMED_OUT: (StatusState.FAILURE, "The pipeline took too long"),
}
_CHECK = {
    RunState.PENDING: CheckState.QUEUED,
    RunState.RUNNING: CheckState.IN_PROGRESS,
    RunState.SUCCEEDED: CheckState.SUCCESS,
    RunState.FAILED: CheckState.FAILURE,
    RunState.CANCELLED: CheckState.CANCELLED,
    RunState.TIMED_OUT: CheckState.TIMED_OUT,
}


@on(PipelineRunQueued, PipelineRunStarted, PipelineRunFinished)
async def report_pipeline_status(
    event: PipelineRunQueued | PipelineRunStarted | PipelineRunFinished, do: Do
) -> Skipped | None:
    """Report a pipeline's state on the commit that it builds."""
    run = await do(ReadPipelineRun.told_of_by(event))
    if run.state is RunState.GONE:
        return Skipped(f"the run {event.name} is not in the cluster")
    if not (run.repository and run.revision):
        return Skipped(f"the run {event.name} names no repository and revision")
    await do(_check(run, do) if do.platform.checks else _status(run, do))
    return None


def _status(run: PipelineRun, do: Do) -> SetCommitStatus:
    state, _ = _STATUS[run.state]
    return SetCommitStatus(
        repository=run.repository,
        revision=run.revision,
        context=do.platform.status_context,
        state=state,
        description=_with_reason(run),
        target_url=do.platform.run_link(run.namespace, run.name),
    )


def _check(run: PipelineRun, do: Do) -> KeepCheckRun:
    return KeepCheckRun(
        repository=run.repository,
        revision=run.revision,
        check=do.platform.status_context,
        run=run.identity,
        state=_CHECK[run.state],
        title=_in_words(run),
        summary=run.message,
        url=do.platform.run_link(run.namespace, run.name),
        started_at=run.started_at,
        finished_at=run.finished_at,
    )


def _in_words(run: PipelineRun) -> str:
    _, words = _STATUS[run.state]
    return f"{words} in {', '.join(run.failed_tasks)}" if run.failed_tasks else words


def _with_reason(run: PipelineRun) -> str:
    failed = run.state.finished and run.state is not RunState.SUCCEEDED
    return f"{_in_words(run)}: {run.message or run.reason}" if failed else _in_words(run)
