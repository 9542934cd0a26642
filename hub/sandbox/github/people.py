"""Pull requests as they are now, and what people may do: `GET /pulls/{n}` and `/permission`.

Protocol: https://docs.github.com/en/rest/pulls/pulls and
https://docs.github.com/en/rest/collaborators/collaborators.
"""

from collections.abc import Callable, Sequence

from aiohttp import web

from hub.sandbox.github import objects, payloads
from hub.sandbox.github.objects import Places
from hub.sandbox.github.payloads import SENDER, PullRequest
from hub.sandbox.github.rest import not_found, reply
from hub.sandbox.repository import Repository

_PERMISSION = {"admin": "admin", "maintain": "write", "write": "write", "triage": "read"}
"""The older word that `permission` still says for each role; all others are `read`."""


class People:
    """Who may do what, and what they have asked to be merged."""

    def __init__(self, pulls: Callable[[], Sequence[PullRequest]]) -> None:
        self.roles: dict[tuple[str, str], str] = {}
        """The role that a person has in a repository; the developer has `write` in all."""
        self._pulls = pulls

    def grant(self, repository: str, user: str, role: str) -> None:
        """Give somebody a role in a repository."""
        self.roles[repository, user] = role

    async def pull(
        self, request: web.Request, repository: Repository, places: Places
    ) -> web.Response:
        """Answer with a pull request."""
        number = int(request.match_info["number"])
        for pull in self._pulls():
            if (pull.base.name, pull.number) == (repository.name, number):
                return reply(payloads.shown(places, pull))
        raise not_found()

    async def permission(
        self, request: web.Request, repository: Repository, places: Places
    ) -> web.Response:
        """Answer with what somebody may do in a repository; whoever has no role may read it."""
        user = request.match_info["user"]
        role = self.roles.get((repository.name, user), "write" if user == SENDER else "read")
        return reply(
            {
                "permission": _PERMISSION.get(role, "read"),
                "role_name": role,
                "user": objects.user(places, user),
            }
        )
