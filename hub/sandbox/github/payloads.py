"""The payloads of the events that the sandbox delivers. Pure.

Shapes: https://docs.github.com/en/webhooks/webhook-events-and-payloads.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from hub.sandbox.clock import rfc3339
from hub.sandbox.github import objects
from hub.sandbox.github.objects import Json, Places
from hub.sandbox.history import Commit, Person
from hub.sandbox.repository import Change, Repository

SENDER = "developer"
"""The account that does everything in the sandbox."""
_SHORT = 12
"""How many digits of a SHA stand in a compare link."""


@dataclass(frozen=True, slots=True, kw_only=True)
class PullRequest:
    """An open pull request."""

    number: int
    base: Repository
    base_branch: str
    base_sha: str
    head: Repository
    """Another repository than `base` where it comes from a fork."""
    head_branch: str
    head_sha: str
    title: str
    opened_at: datetime
    open: bool = True


def push(
    places: Places,
    repository: Repository,
    change: Change,
    *,
    commits: Sequence[Commit],
    head: Commit | None,
) -> Json:
    """Return the payload of a push; `commits` are the new ones, oldest first.

    `head` is where the ref points now: None after a deletion, and there even without new commits.
    """
    page = f"{places.web}/{repository.name}"
    return {
        "ref": change.ref,
        "before": change.before,
        "after": change.after,
        "repository": _pushed_repository(places, repository, head),
        "pusher": {"name": SENDER, "email": f"{SENDER}@company.example"},
        **_context(places, repository),
        "created": change.created,
        "deleted": change.deleted,
        "forced": change.forced,
        "base_ref": None,
        "compare": f"{page}/compare/{change.before[:_SHORT]}...{change.after[:_SHORT]}",
        "commits": [_commit(page, one) for one in commits],
        "head_commit": _commit(page, head) if head is not None else None,
    }


def pull_request(places: Places, pull: PullRequest, action: str, *, before: str) -> Json:
    """Return the payload of `pull_request`; `before` is the head before a `synchronize`."""
    moved = {"before": before, "after": pull.head_sha} if action == "synchronize" else {}
    return {
        "action": action,
        "number": pull.number,
        "pull_request": shown(places, pull),
        **moved,
        "repository": _repository(places, pull.base),
        **_context(places, pull.base),
    }


def check_run(places: Places, repository: Repository, check: Json, *, action: str) -> Json:
    """Return the payload of `check_run`; `check` is the check run as the REST API shows it."""
    return _about_checks(places, repository, action) | {"check_run": check}


def check_suite(places: Places, repository: Repository, suite: Json, *, action: str) -> Json:
    """Return the payload of `check_suite`."""
    return _about_checks(places, repository, action) | {"check_suite": suite}


def _about_checks(places: Places, repository: Repository, action: str) -> Json:
    return {
        "action": action,
        "repository": _repository(places, repository),
        "organization": objects.organization(places, repository.name.split("/")[0]),
        "sender": objects.user(places, SENDER),
    }


def issue_comment(places: Places, pull: PullRequest, body: str, *, by: str, action: str) -> Json:
    """Return the payload of `issue_comment` on a pull request.

    `author_association` is what the sender's rights are not to be read from.
    """
    page = f"{places.web}/{pull.base.name}/pull/{pull.number}"
    url = f"{places.api}/repos/{pull.base.name}"
    return {
        "action": action,
        "issue": {
            "url": f"{url}/issues/{pull.number}",
            "html_url": page,
            "number": pull.number,
            "title": pull.title,
            "state": "open" if pull.open else "closed",
            "user": objects.user(places, SENDER),
            "pull_request": {"url": f"{url}/pulls/{pull.number}", "html_url": page},
        },
        "comment": {
            "id": objects.stable_number(page + body),
            "html_url": f"{page}#issuecomment-{objects.stable_number(page + body)}",
            "user": objects.user(places, by),
            "author_association": "OWNER",
            "body": body,
        },
        "repository": _repository(places, pull.base),
        "organization": objects.organization(places, pull.base.name.split("/")[0]),
        "sender": objects.user(places, by),
    }


def ping(places: Places, repository: Repository, *, hook: int, events: Sequence[str]) -> Json:
    """Return the payload that greets a new hook."""
    return {
        "zen": "Keep it logically awesome.",
        "hook_id": hook,
        "hook": {"type": "Repository", "id": hook, "name": "web", "active": True}
        | {"events": [*events]},
        "repository": _repository(places, repository),
        **_context(places, repository),
    }


def _repository(places: Places, repository: Repository) -> Json:
    return objects.repository(
        places,
        repository.name,
        default_branch=repository.default_branch,
        fork=repository.is_fork,
    )


def _context(places: Places, repository: Repository) -> Json:
    return {
        "organization": objects.organization(places, repository.name.split("/")[0]),
        "sender": objects.user(places, SENDER),
    }


def _pushed_repository(places: Places, repository: Repository, head: Commit | None) -> Json:
    """Return the repository as `push` alone has it: its page for `url`, its dates as numbers."""
    ordinary = _repository(places, repository)
    owner = ordinary["owner"]
    created = int(datetime.fromisoformat(ordinary["created_at"]).timestamp())
    pushed = created if head is None else int(head.committed_at.timestamp())
    return {
        **ordinary,
        "owner": {"name": owner["login"], "email": None, **owner},
        "url": ordinary["html_url"],
        "created_at": created,
        "pushed_at": pushed,
        "stargazers": 0,
        "master_branch": repository.default_branch,
        "organization": owner["login"],
        "custom_properties": {},
    }


def _commit(page: str, one: Commit) -> Json:
    return {
        "id": one.sha,
        "tree_id": one.tree,
        "distinct": True,
        "message": one.message,
        "timestamp": one.committed_at.isoformat().replace("+00:00", "Z"),
        "url": f"{page}/commit/{one.sha}",
        "author": _person(one.author),
        "committer": _person(one.committer),
        "added": [*one.files.added],
        "removed": [*one.files.removed],
        "modified": [*one.files.modified],
    }


def _person(person: Person) -> Json:
    known = {"username": SENDER} if person.email.startswith(f"{SENDER}@") else {}
    return {"name": person.name, "email": person.email, **known}


def shown(places: Places, pull: PullRequest) -> Json:
    """Return a pull request, as the REST API has it too."""
    url = f"{places.api}/repos/{pull.base.name}"
    page = f"{places.web}/{pull.base.name}/pull/{pull.number}"
    opened_at = rfc3339(pull.opened_at)
    return {
        "url": f"{url}/pulls/{pull.number}",
        "id": objects.stable_number(page),
        "node_id": objects.node("PR", page),
        "html_url": page,
        "diff_url": f"{page}.diff",
        "patch_url": f"{page}.patch",
        "issue_url": f"{url}/issues/{pull.number}",
        "number": pull.number,
        "state": "open" if pull.open else "closed",
        "locked": False,
        "title": pull.title,
        "user": objects.user(places, SENDER),
        "body": None,
        "created_at": opened_at,
        "updated_at": opened_at,
        **_PULL_FACTS,
        "commits_url": f"{url}/pulls/{pull.number}/commits",
        "review_comments_url": f"{url}/pulls/{pull.number}/comments",
        "review_comment_url": f"{url}/pulls/comments{{/number}}",
        "comments_url": f"{url}/issues/{pull.number}/comments",
        "statuses_url": f"{url}/statuses/{pull.head_sha}",
        "head": _side(places, pull.head, pull.head_branch, pull.head_sha),
        "base": _side(places, pull.base, pull.base_branch, pull.base_sha),
    }


def _side(places: Places, repository: Repository, branch: str, sha: str) -> Json:
    owner = repository.name.split("/")[0]
    return {
        "label": f"{owner}:{branch}",
        "ref": branch,
        "sha": sha,
        "user": objects.user(places, owner, kind="Organization"),
        "repo": _repository(places, repository),
    }


_PULL_FACTS: Json = {
    "closed_at": None,
    "merged_at": None,
    "merge_commit_sha": None,
    "assignee": None,
    "assignees": [],
    "requested_reviewers": [],
    "requested_teams": [],
    "labels": [],
    "milestone": None,
    "draft": False,
    "author_association": "MEMBER",
    "auto_merge": None,
    "active_lock_reason": None,
    "merged": False,
    "mergeable": None,
    "rebaseable": None,
    "mergeable_state": "unknown",
    "merged_by": None,
    "comments": 0,
    "review_comments": 0,
    "maintainer_can_modify": False,
    "commits": 1,
    "additions": 1,
    "deletions": 1,
    "changed_files": 1,
}
