"""A PipelineRun's state stands as a status on its source commit: pending, then the result."""

from hub.actions.github import SetCommitStatus, StatusState
from hub.actions.tekton import PipelineRun, ReadPipelineRun, RunState
from hub.dispatch import Do, Skipped, on
from hub.events.tekton import PipelineRunFinished, PipelineRunStarted

_STATUS = {
    RunState.PENDING: (StatusState.PENDING, "The pipeline waits for others to end"),
    RunState.RUNNING: (StatusState.PENDING, "The pipeline is running"),
    RunState.SUCCEEDED: (StatusState.SUCCESS, "The pipeline has succeeded"),
    RunState.FAILED: (StatusState.FAILURE, "The pipeline has failed"),
    RunState.CANCELLED: (StatusState.ERROR, "The pipeline was cancelled"),
    RunState.TIMED_OUT: (StatusState.FAILURE, "The pipeline took too long"),
}


@on(PipelineRunStarted, PipelineRunFinished)
async def report_pipeline_status(
    event: PipelineRunStarted | PipelineRunFinished, do: Do
) -> Skipped | None:
    """Report a pipeline's state on the commit that it builds."""
    run = await do(ReadPipelineRun.told_of_by(event))
    if run.state is RunState.GONE:
        return Skipped(f"the run {event.name} is not in the cluster")
    if not (run.repository and run.revision):
        return Skipped(f"the run {event.name} names no repository and revision")
    state, description = _STATUS[run.state]
    await do(
        SetCommitStatus(
            repository=run.repository,
            revision=run.revision,
            context=do.platform.status_context,
            state=state,
            description=_with_reason(description, run),
            target_url=do.platform.run_link(run.namespace, run.name),
        )
    )
    return None


def _with_reason(description: str, run: PipelineRun) -> str:
    failed = run.state.finished and run.state is not RunState.SUCCEEDED
    return f"{description}: {run.message or run.reason}" if failed else description
