"""Commits and comparisons: `GET /commits/{ref}` and `GET /compare/{base}...{head}`.

Protocol: https://docs.github.com/en/rest/commits/commits.
"""

from aiohttp import web

from hub.sandbox.git import GitFailed
from hub.sandbox.github import objects
from hub.sandbox.github.objects import Json, Places
from hub.sandbox.github.rest import find_sha, not_found, reply
from hub.sandbox.history import Comparison
from hub.sandbox.repository import Repository


async def get_commit(request: web.Request, repository: Repository, places: Places) -> web.Response:
    """Answer with one commit, named by a branch, a tag or a SHA."""
    sha = await find_sha(repository, request.match_info["ref"])
    commit = await repository.read_commit(sha)
    files = [
        *_files("added", commit.files.added),
        *_files("modified", commit.files.modified),
        *_files("removed", commit.files.removed),
    ]
    return reply({**objects.commit(places, repository.name, commit), "files": files})


async def compare(request: web.Request, repository: Repository, places: Places) -> web.Response:
    """Answer with how two revisions stand to each other."""
    base, dots, head = request.match_info["basehead"].partition("...")
    if not dots:
        raise not_found()
    try:
        comparison = await repository.compare(_own(base), _own(head))
    except GitFailed as error:
        raise not_found() from error
    return reply(_shown(places, repository, base, head, comparison))


def _own(revision: str) -> str:
    """Drop the owner of `owner:branch`."""
    return revision.rpartition(":")[2]


def _files(status: str, paths: tuple[str, ...]) -> list[Json]:
    return [{"filename": path, "status": status} for path in paths]


def _shown(
    places: Places, repository: Repository, base: str, head: str, comparison: Comparison
) -> Json:
    pair = f"{base}...{head}"
    page = f"{places.web}/{repository.name}/compare/{pair}"
    return {
        "url": f"{places.api}/repos/{repository.name}/compare/{pair}",
        "html_url": page,
        "permalink_url": page,
        "diff_url": f"{page}.diff",
        "patch_url": f"{page}.patch",
        "base_commit": objects.commit(places, repository.name, comparison.base),
        "merge_base_commit": objects.commit(places, repository.name, comparison.merge_base),
        "status": comparison.status,
        "ahead_by": comparison.ahead_by,
        "behind_by": comparison.behind_by,
        "total_commits": comparison.ahead_by,
        "commits": [
            objects.commit(places, repository.name, commit) for commit in comparison.commits
        ],
    }
