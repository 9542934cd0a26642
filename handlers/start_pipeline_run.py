"""A push to a branch that is built, or a pull request of the same repository, starts a PipelineRun.

Pull requests from forks are refused here: they would run foreign code with the platform's secrets.
"""

from hub.actions.tekton import StartPipelineRun
from hub.dispatch import Do, Skipped, on
from hub.events.github import PullRequest, Push
from hub.events.names import service_name


@on(Push, PullRequest)
async def start_pipeline_run(change: Push | PullRequest, do: Do) -> Skipped | None:
    """Start the service's CI pipeline for a push or a pull request."""
    if not do.platform.builds(change.repository):
        return Skipped(f"{change.repository} is not among platform.repositories")
    reason = _not_built(change, do)
    if reason is not None:
        return Skipped(reason)
    await do(
        StartPipelineRun(
            pipeline=do.platform.pipeline,
            service=service_name(change.name),
            repository=change.repository,
            clone_url=do.platform.clone_url(change.repository),
            ref=change.ref,
            revision=change.after if isinstance(change, Push) else change.head_sha,
            push_image=isinstance(change, Push),
        )
    )
    return None


def _not_built(change: Push | PullRequest, do: Do) -> str | None:
    match change:
        case Push(deleted=True):
            return "the ref was deleted"
        case Push(branch=None):
            return f"{change.ref} is not a branch"
        case Push(branch=branch) if not do.platform.environments(branch or ""):
            return f"branch {branch} is not among platform.branches"
        case PullRequest(fork=True):
            return "it comes from a fork"
        case _:
            return None
