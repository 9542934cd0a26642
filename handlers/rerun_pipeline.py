"""A check that somebody asks for again on GitHub's pages, alone or with all others, is run anew.

What is built, and how, is what the cluster says of the run before; the event only says which one.
The new run has its own check run, so both can be seen. Asked for twice it is one run.
"""

from handlers.starting import start
from hub.actions.github import FindCheckRun
from hub.actions.tekton import PipelineRun, ReadPipelineRun, RunState, StartPipelineRun
from hub.dispatch import Do, Skipped, on
from hub.events.github import CheckRunRerequested, CheckSuiteRerequested
from hub.events.names import service_name

Asked = CheckRunRerequested | CheckSuiteRerequested


@on(CheckRunRerequested, CheckSuiteRerequested)
async def rerun_pipeline(asked: Asked, do: Do) -> Skipped | None:
    """Start a commit's pipeline again where that is asked for on GitHub's pages."""
    if not do.platform.builds(asked.repository):
        return Skipped(f"{asked.repository} is not among platform.repositories")
    if isinstance(asked, CheckRunRerequested) and asked.check != do.platform.status_context:
        return Skipped(f"the check {asked.check} is not the hub's")
    read = ReadPipelineRun.of_identity(await _identity(asked, do))
    if read is None:
        return Skipped("the check run names no PipelineRun")
    run = await do(read)
    if (reason := _not_run_again(run, asked)) is not None:
        return Skipped(reason)
    await start(_once_more(run, do), do)
    return None


async def _identity(asked: Asked, do: Do) -> str:
    """Return which PipelineRun the check run is of, as the hub has written there."""
    if isinstance(asked, CheckRunRerequested):
        return asked.run or ""
    check = do.platform.status_context
    wanted = FindCheckRun(repository=asked.repository, suite=asked.suite, check=check)
    return await do(wanted) or ""


def _once_more(run: PipelineRun, do: Do) -> StartPipelineRun:
    return StartPipelineRun(
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
    )


def _not_run_again(run: PipelineRun, asked: Asked) -> str | None:
    if run.state is RunState.GONE:
        return "the PipelineRun is not in the cluster any more; push again"
    if (run.repository, run.revision) != (asked.repository, asked.revision):
        return "the PipelineRun built another commit than the check run is of"
    if not run.state.finished:
        return f"the PipelineRun {run.name} has not ended yet"
    return None
