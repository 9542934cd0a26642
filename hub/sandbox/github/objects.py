"""The JSON objects of GitHub that appear both in webhooks and in the REST API. Pure."""

import hashlib
from dataclasses import dataclass
from typing import Any

from hub.sandbox.clock import rfc3339
from hub.sandbox.history import Commit, Person

Json = dict[str, Any]

_USER_LINKS = {
    "followers_url": "/followers",
    "following_url": "/following{/other_user}",
    "gists_url": "/gists{/gist_id}",
    "starred_url": "/starred{/owner}{/repo}",
    "subscriptions_url": "/subscriptions",
    "organizations_url": "/orgs",
    "repos_url": "/repos",
    "events_url": "/events{/privacy}",
    "received_events_url": "/received_events",
}
_REPOSITORY_LINKS = {
    "forks_url": "/forks",
    "keys_url": "/keys{/key_id}",
    "collaborators_url": "/collaborators{/collaborator}",
    "teams_url": "/teams",
    "hooks_url": "/hooks",
    "issue_events_url": "/issues/events{/number}",
    "events_url": "/events",
    "assignees_url": "/assignees{/user}",
    "branches_url": "/branches{/branch}",
    "tags_url": "/tags",
    "blobs_url": "/git/blobs{/sha}",
    "git_tags_url": "/git/tags{/sha}",
    "git_refs_url": "/git/refs{/sha}",
    "trees_url": "/git/trees{/sha}",
    "statuses_url": "/statuses/{sha}",
    "languages_url": "/languages",
    "stargazers_url": "/stargazers",
    "contributors_url": "/contributors",
    "subscribers_url": "/subscribers",
    "subscription_url": "/subscription",
    "commits_url": "/commits{/sha}",
    "git_commits_url": "/git/commits{/sha}",
    "comments_url": "/comments{/number}",
    "issue_comment_url": "/issues/comments{/number}",
    "contents_url": "/contents/{+path}",
    "compare_url": "/compare/{base}...{head}",
    "merges_url": "/merges",
    "archive_url": "/{archive_format}{/ref}",
    "downloads_url": "/downloads",
    "issues_url": "/issues{/number}",
    "pulls_url": "/pulls{/number}",
    "milestones_url": "/milestones{/number}",
    "notifications_url": "/notifications{?since,all,participating}",
    "labels_url": "/labels{/name}",
    "releases_url": "/releases{/id}",
    "deployments_url": "/deployments",
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Places:
    """Where this GitHub is: the base addresses of its API and of its pages and git."""

    api: str
    web: str


def stable_number(name: str) -> int:
    """Return the number that stands for this repository or user, always the same one."""
    return int.from_bytes(hashlib.sha256(name.encode()).digest()[:4], "big")


def node(kind: str, name: str) -> str:
    """Return a node id of the new format."""
    return f"{kind}_{hashlib.sha256(name.encode()).hexdigest()[:12]}"


def user(places: Places, login: str, *, kind: str = "User") -> Json:
    """Return an account."""
    url = f"{places.api}/users/{login}"
    return {
        "login": login,
        "id": stable_number(login),
        "node_id": node("U", login),
        "avatar_url": f"{places.web}/avatars/{stable_number(login)}",
        "gravatar_id": "",
        "url": url,
        "html_url": f"{places.web}/{login}",
        **{name: url + path for name, path in _USER_LINKS.items()},
        "type": kind,
        "user_view_type": "public",
        "site_admin": False,
    }


def organization(places: Places, login: str) -> Json:
    """Return the organisation that owns a repository."""
    url = f"{places.api}/orgs/{login}"
    return {
        "login": login,
        "id": stable_number(login),
        "node_id": node("O", login),
        "url": url,
        "repos_url": f"{url}/repos",
        "events_url": f"{url}/events",
        "hooks_url": f"{url}/hooks",
        "issues_url": f"{url}/issues",
        "members_url": f"{url}/members{{/member}}",
        "public_members_url": f"{url}/public_members{{/member}}",
        "avatar_url": f"{places.web}/avatars/{stable_number(login)}",
        "description": "",
    }


def repository(places: Places, full_name: str, *, default_branch: str, fork: bool = False) -> Json:
    """Return a repository, as the REST API and every event but `push` have it."""
    owner, name = full_name.split("/")
    url, page = f"{places.api}/repos/{full_name}", f"{places.web}/{full_name}"
    host = places.web.partition("://")[2]
    return {
        "id": stable_number(full_name),
        "node_id": node("R", full_name),
        "name": name,
        "full_name": full_name,
        "private": True,
        "owner": user(places, owner, kind="Organization"),
        "html_url": page,
        "description": None,
        "fork": fork,
        "url": url,
        **{link: url + path for link, path in _REPOSITORY_LINKS.items()},
        "created_at": "2025-01-06T09:00:00Z",
        "updated_at": "2025-01-06T09:00:00Z",
        "pushed_at": "2025-01-06T09:00:00Z",
        "git_url": f"git://{host}/{full_name}.git",
        "ssh_url": f"git@{host}:{full_name}.git",
        "clone_url": f"{page}.git",
        "svn_url": page,
        **_REPOSITORY_FACTS,
        "default_branch": default_branch,
    }


_REPOSITORY_FACTS: Json = {
    "homepage": None,
    "size": 8,
    "stargazers_count": 0,
    "watchers_count": 0,
    "language": "Java",
    "has_issues": True,
    "has_projects": True,
    "has_downloads": True,
    "has_wiki": True,
    "has_pages": False,
    "has_discussions": False,
    "forks_count": 0,
    "mirror_url": None,
    "archived": False,
    "disabled": False,
    "open_issues_count": 0,
    "license": None,
    "allow_forking": True,
    "is_template": False,
    "web_commit_signoff_required": False,
    "topics": [],
    "visibility": "private",
    "forks": 0,
    "open_issues": 0,
    "watchers": 0,
}


def commit(places: Places, full_name: str, one: Commit) -> Json:
    """Return a commit, as the REST API has it."""
    url = f"{places.api}/repos/{full_name}"
    return {
        "sha": one.sha,
        "node_id": node("C", one.sha),
        "commit": {
            "author": _dated(one.author, rfc3339(one.authored_at)),
            "committer": _dated(one.committer, rfc3339(one.committed_at)),
            "message": one.message,
            "tree": {"sha": one.tree, "url": f"{url}/git/trees/{one.tree}"},
            "url": f"{url}/git/commits/{one.sha}",
            "comment_count": 0,
            "verification": {
                "verified": False,
                "reason": "unsigned",
                "signature": None,
                "payload": None,
                "verified_at": None,
            },
        },
        "url": f"{url}/commits/{one.sha}",
        "html_url": f"{places.web}/{full_name}/commit/{one.sha}",
        "comments_url": f"{url}/commits/{one.sha}/comments",
        "author": None,
        "committer": None,
        "parents": [
            {
                "sha": parent,
                "url": f"{url}/commits/{parent}",
                "html_url": f"{places.web}/{full_name}/commit/{parent}",
            }
            for parent in one.parents
        ],
    }


def _dated(person: Person, date: str) -> Json:
    return {"name": person.name, "email": person.email, "date": date}
