"""A comment `/ok-to-test SHA` starts the PipelineRun of a pull request from a fork.

It does so for just that commit, and only from somebody who may write to the repository: what a
comment says of its author is not asked, but GitHub. The run is apart from all others, with no
secret: `kubernetes.forks` says where. A later push needs another approval.
"""

import re

from handlers.starting import start
from hub.actions.github import MayWrite, PullRequestNow, ReadPullRequest
from hub.actions.tekton import CancelSuperseded, StartPipelineRun
from hub.dispatch import Do, Skipped, on
from hub.events.github import IssueComment
from hub.events.names import service_name

_APPROVAL = re.compile(r"^/ok-to-test(?:[ \t]+(\S+))?[ \t]*\r?$", re.MULTILINE)
_REVISION = re.compile(r"[0-9a-f]{7,64}")


def _is_approval(comment: IssueComment) -> bool:
    on_a_pull_request = comment.pull_request is not None
    return on_a_pull_request and _APPROVAL.search(comment.body or "") is not None


@on(IssueComment, when=_is_approval)
async def start_approved_run(comment: IssueComment, do: Do) -> Skipped | None:
    """Build a commit of a fork that somebody with the right to has approved."""
    if not do.platform.builds(comment.repository):
        return Skipped(f"{comment.repository} is not among platform.repositories")
    if do.platform.fork_pipeline is None:
        return Skipped("forks are never built: the settings have no kubernetes.forks")
    approved = _approved(comment)
    if _REVISION.fullmatch(approved) is None:
        return Skipped("/ok-to-test names no commit: it takes a SHA, or 7 digits of one at least")
    now = await do(ReadPullRequest(repository=comment.repository, number=comment.number))
    if (reason := _not_approvable(now, approved)) is not None or now is None:
        return Skipped(reason or "there is no such pull request")
    if not await do(MayWrite(repository=comment.repository, user=comment.author)):
        return Skipped(f"{comment.author or 'its author'} may not write to {comment.repository}")
    await _build(comment, now, do.platform.fork_pipeline, do)
    return None


def _approved(comment: IssueComment) -> str:
    found = _APPROVAL.search(comment.body or "")
    return (found[1] or "").lower() if found else ""


def _not_approvable(now: PullRequestNow | None, approved: str) -> str | None:
    if now is None:
        return "GitHub does not show the pull request"
    if not now.open:
        return "the pull request is closed"
    if not now.fork:
        return "it does not come from a fork: it is built without an approval"
    if not now.head_sha.startswith(approved):
        return f"the approval is for {approved}, and the pull request is at {now.head_sha}"
    return None


async def _build(comment: IssueComment, now: PullRequestNow, pipeline: str, do: Do) -> None:
    """Start the run of exactly the commit that was compared with the approval."""
    service = service_name(comment.name)
    await do(
        CancelSuperseded(
            service=service,
            repository=comment.repository,
            pull_request=comment.number,
            head=now.head_sha,
            fork=True,
        )
    )
    await start(
        StartPipelineRun(
            pipeline=pipeline,
            service=service,
            repository=comment.repository,
            clone_url=do.platform.clone_url(comment.repository),
            ref=f"refs/pull/{comment.number}/head",
            revision=now.head_sha,
            push_image=False,
            pull_request=comment.number,
            fork=True,
        ),
        do,
    )
