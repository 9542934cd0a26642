"""A check run that somebody asks for again on GitHub's pages starts its PipelineRun anew.

What is built, and how, is what the cluster says of the run before; the event only says which one.
The new run has its own check run, so both can be seen. Asked for twice it is one run.
"""

from handlers.starting import start
from hub.actions.tekton import PipelineRun, ReadPipelineRun, RunState, StartPipelineRun
from hub.dispatch import Do, Skipped, on
from hub.events.github import CheckRunRerequested
from hub.events.names import service_name


@on(CheckRunRerequested)
async def rerun_pipeline(asked: CheckRunRerequested, do: Do) -> Skipped | None:
    """Start a commit's pipeline again where that is asked for on GitHub's pages."""
    if not do.platform.builds(asked.repository):
        return Skipped(f"{asked.repository} is not among platform.repositories")
    if asked.check != do.platform.status_context:
        return Skipped(f"the check {asked.check} is not the hub's")
    read = ReadPipelineRun.of_identity(asked.run or "")
    if read is None:
        return Skipped("the check run names no PipelineRun")
    run = await do(read)
    if (reason := _not_run_again(run, asked)) is not None:
        return Skipped(reason)
    await start(
        StartPipelineRun(
            pipeline=run.pipeline,
            service=service_name(run.repository.rpartition("/")[2]),
            repository=run.repository,
            clone_url=do.platform.clone_url(run.repository),
            ref=run.ref,
            revision=run.revision,
            push_image=bool(run.branch),
            attempt=run.attempt + 1,
            pull_request=run.pull_request,
            fork=run.fork,
        ),
        do,
    )
    return None


def _not_run_again(run: PipelineRun, asked: CheckRunRerequested) -> str | None:
    if run.state is RunState.GONE:
        return "the PipelineRun is not in the cluster any more; push again"
    if (run.repository, run.revision) != (asked.repository, asked.revision):
        return "the PipelineRun built another commit than the check run is of"
    if not run.state.finished:
        return f"the PipelineRun {run.name} has not ended yet"
    return None
