"""Hook deliveries: list them, look at one, ask for another attempt.

Protocol: https://docs.github.com/en/rest/repos/webhooks.
"""

import orjson
from aiohttp import web

from hub.sandbox.clock import rfc3339
from hub.sandbox.github import objects
from hub.sandbox.github.hooks import Delivery, Hook, Webhooks
from hub.sandbox.github.objects import Json, Places
from hub.sandbox.github.rest import RestError, not_found, reply
from hub.sandbox.repository import Repository

_DEFAULT_PAGE = 30
_MAX_PAGE = 100


class Deliveries:
    """The REST face of the webhooks' deliveries."""

    def __init__(self, webhooks: Webhooks) -> None:
        self._webhooks = webhooks

    async def list(
        self, request: web.Request, repository: Repository, places: Places
    ) -> web.Response:
        """Answer with a hook's deliveries, the newest first, by `per_page` and `cursor`."""
        hook = self._hook(request, repository)
        size, before = _page(request)
        numbers = sorted(self._webhooks.deliveries, reverse=True)
        kept = (self._webhooks.deliveries[number] for number in numbers)
        mine = [one for one in kept if one.hook.id == hook.id and one.id < before]
        headers = {}
        if len(mine) > size:
            url = f"{places.api}{request.path}?per_page={size}&cursor={mine[size - 1].id}"
            headers["Link"] = f'<{url}>; rel="next"'
        return reply([_shown(one) for one in mine[:size]], headers=headers)

    async def get(
        self, request: web.Request, repository: Repository, _places: Places
    ) -> web.Response:
        """Answer with one delivery: what was sent, and what came back."""
        return reply(_shown_whole(self._delivery(request, repository)))

    async def attempt(
        self, request: web.Request, repository: Repository, _places: Places
    ) -> web.Response:
        """Deliver once more."""
        self._webhooks.redeliver(self._delivery(request, repository).id)
        return reply({}, status=202)

    def _hook(self, request: web.Request, repository: Repository) -> Hook:
        hook = self._webhooks.find(repository.name, int(request.match_info["hook"]))
        if hook is None:
            raise not_found()
        return hook

    def _delivery(self, request: web.Request, repository: Repository) -> Delivery:
        hook = self._hook(request, repository)
        delivery = self._webhooks.deliveries.get(int(request.match_info["id"]))
        if delivery is None or delivery.hook.id != hook.id:
            raise not_found()
        return delivery


def _page(request: web.Request) -> tuple[int, float]:
    """Return how many are asked for, and the number that all must be under."""
    try:
        size = int(request.query.get("per_page", _DEFAULT_PAGE))
        before = float(request.query.get("cursor", "inf"))
    except ValueError as error:
        raise RestError(422, "Invalid cursor") from error
    return max(1, min(size, _MAX_PAGE)), before


def _shown(one: Delivery) -> Json:
    return {
        "id": one.id,
        "guid": one.guid,
        "delivered_at": rfc3339(one.delivered_at),
        "redelivery": one.redelivery,
        "duration": round(one.duration, 2),
        "status": one.status,
        "status_code": one.status_code,
        "event": one.event,
        "action": one.action,
        "installation_id": None,
        "repository_id": objects.stable_number(one.hook.repository),
        "throttled_at": None,
    }


def _shown_whole(one: Delivery) -> Json:
    return {
        **_shown(one),
        "url": one.hook.url,
        "request": {"headers": {**one.request_headers}, "payload": orjson.loads(one.payload)},
        "response": {"headers": {**one.response_headers}, "payload": one.response_body},
    }
