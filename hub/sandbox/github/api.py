"""Puts the resources of the REST API on their paths."""

from collections.abc import Awaitable, Callable

from aiohttp import web

from hub.sandbox.faults import Faults
from hub.sandbox.github.checks import Checks
from hub.sandbox.github.commits import compare, get_commit
from hub.sandbox.github.deliveries import Deliveries
from hub.sandbox.github.objects import Places
from hub.sandbox.github.people import People
from hub.sandbox.github.rest import gate, not_found, spoilt
from hub.sandbox.github.statuses import Statuses
from hub.sandbox.repository import Repository

Resource = Callable[[web.Request, Repository, Places], Awaitable[web.Response]]

_NUMBER = r"\d{1,18}"


def build_api(
    *,
    faults: Faults,
    token: str | None,
    find: Callable[[str], Repository | None],
    places: Callable[[], Places],
    statuses: Statuses,
    checks: Checks,
    deliveries: Deliveries,
    people: People,
) -> web.Application:
    """Return the API as an aiohttp application."""

    def on(resource: Resource) -> Callable[[web.Request], Awaitable[web.Response]]:
        async def serve(request: web.Request) -> web.Response:
            name = f"{request.match_info['owner']}/{request.match_info['name']}"
            repository = find(name)
            if repository is None:
                raise not_found()
            return await resource(request, repository, places())

        return serve

    repository = "/repos/{owner}/{name}"
    commit = f"{repository}/commits/{{ref:.+?}}"
    check = f"{repository}/check-runs"
    suite = f"{repository}/check-suites/{{suite:{_NUMBER}}}"
    sent = f"{repository}/hooks/{{hook:{_NUMBER}}}/deliveries"
    app = web.Application(middlewares=[faults.middleware("github", answer=spoilt), gate(token)])
    app.add_routes(
        [
            web.post(f"{repository}/statuses/{{sha:.+}}", on(statuses.create)),
            web.get(f"{commit}/status", on(statuses.combine)),
            web.get(f"{commit}/statuses", on(statuses.list)),
            web.get(f"{commit}/check-runs", on(checks.list)),
            web.get(f"{repository}/pulls/{{number:{_NUMBER}}}", on(people.pull)),
            web.get(f"{repository}/collaborators/{{user}}/permission", on(people.permission)),
            web.get(commit, on(get_commit)),
            web.get(f"{repository}/compare/{{basehead:.+}}", on(compare)),
            web.get(f"{suite}/check-runs", on(checks.list_suite)),
            web.post(check, on(checks.create)),
            web.patch(f"{check}/{{id:{_NUMBER}}}", on(checks.update)),
            web.get(sent, on(deliveries.list)),
            web.get(f"{sent}/{{id:{_NUMBER}}}", on(deliveries.get)),
            web.post(f"{sent}/{{id:{_NUMBER}}}/attempts", on(deliveries.attempt)),
        ]
    )
    return app
