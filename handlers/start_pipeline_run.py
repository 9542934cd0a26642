"""A push to a branch that is built, or a pull request of the same repository, starts a PipelineRun.

What still runs for an older commit of the pull request is cancelled. Pull requests from forks start
nothing: somebody has to approve the commit, see `start_approved_run`.
"""

from handlers.starting import start
from hub.actions.github import ReadPullRequest
from hub.actions.tekton import CancelSuperseded, StartPipelineRun
from hub.dispatch import Do, Skipped, on
from hub.events.github import PullRequest, Push
from hub.events.names import service_name


@on(Push, PullRequest)
async def start_pipeline_run(change: Push | PullRequest, do: Do) -> Skipped | None:
    """Start the service's CI pipeline for a push or a pull request."""
    if not do.platform.builds(change.repository):
        return Skipped(f"{change.repository} is not among platform.repositories")
    reason = _not_built(change, do)
    if reason is None and isinstance(change, PullRequest):
        reason = await _supersede(change, do)
    if reason is not None:
        return Skipped(reason)
    await start(
        StartPipelineRun(
            pipeline=do.platform.pipeline,
            service=service_name(change.name),
            repository=change.repository,
            clone_url=do.platform.clone_url(change.repository),
            ref=change.ref,
            revision=change.after if isinstance(change, Push) else change.head_sha,
            push_image=isinstance(change, Push),
            pull_request=change.number if isinstance(change, PullRequest) else None,
        ),
        do,
    )
    return None


async def _supersede(change: PullRequest, do: Do) -> str | None:
    """Cancel what runs for older commits, or say why it is this event that is the older one.

    Events come late and out of order, so GitHub is asked for the head. Where it does not show the
    pull request nothing is cancelled.
    """
    now = await do(ReadPullRequest(repository=change.repository, number=change.number))
    if now is None:
        return "it comes from a fork, and GitHub does not show it" if change.fork else None
    fork = change.fork or now.fork
    if fork and do.platform.fork_pipeline is None:
        return "it comes from a fork, and the settings have no kubernetes.forks"
    if now.head_sha == change.head_sha:
        await do(
            CancelSuperseded(
                service=service_name(change.name),
                repository=change.repository,
                pull_request=change.number,
                head=now.head_sha,
                fork=fork,
            )
        )
    else:
        return f"the pull request has moved on to {now.head_sha}"
    return "it comes from a fork: its commit waits for an approval" if fork else None


def _not_built(change: Push | PullRequest, do: Do) -> str | None:
    match change:
        case Push(deleted=True):
            return "the ref was deleted"
        case Push(branch=None):
            return f"{change.ref} is not a branch"
        case Push(branch=branch) if not do.platform.environments(branch or ""):
            return f"branch {branch} is not among platform.branches"
        case _:
            return None
