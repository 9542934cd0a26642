"""What every resource of GitHub's REST API has in common: who may ask, errors, rate limits.

Protocol: https://docs.github.com/en/rest/using-the-rest-api.
"""

import hmac
import time
from http import HTTPStatus
from typing import Any, TypeVar

import orjson
from aiohttp import web
from aiohttp.typedefs import Handler, Middleware
from pydantic import BaseModel, ValidationError

from hub.errors import TrunklineError
from hub.sandbox.faults import Status
from hub.sandbox.git import GitFailed
from hub.sandbox.github.objects import Json
from hub.sandbox.repository import Repository

_HOURLY_LIMIT = 5000
"""Requests an hour of an authenticated user."""
_HOUR_SECONDS = 3600
_SECONDARY_LIMIT = (
    "You have exceeded a secondary rate limit. Please wait a few minutes before you try again."
)

B = TypeVar("B", bound=BaseModel)


class RestError(TrunklineError):
    """An error answer of the API."""

    def __init__(self, status: int, message: str, *, errors: list[Json] | None = None) -> None:
        super().__init__(message)
        self.status = status
        self.errors = errors


def not_found() -> RestError:
    """Return the answer to everything that is not there, or not for the caller to see."""
    return RestError(404, "Not Found")


def invalid(resource: str, field: str, message: str) -> RestError:
    """Return the answer to a field that is not as it has to be."""
    wrong = {"resource": resource, "code": "custom", "field": field, "message": message}
    return RestError(422, "Validation Failed", errors=[wrong])


def reply(body: Any, *, status: int = 200, headers: Json | None = None) -> web.Response:
    """Answer with JSON."""
    return web.Response(
        status=status,
        body=orjson.dumps(body),
        content_type="application/json",
        charset="utf-8",
        headers=headers,
    )


def failure(error: RestError) -> web.Response:
    """Answer with an error, in GitHub's shape."""
    body: Json = {"message": str(error)}
    if error.errors is not None:
        body["errors"] = error.errors
    body["documentation_url"] = "https://docs.github.com/rest"
    body["status"] = str(error.status)
    return reply(body, status=error.status)


def spoilt(fault: Status) -> web.Response:
    """Answer as GitHub does when told to fail."""
    if fault.status in {HTTPStatus.FORBIDDEN, HTTPStatus.TOO_MANY_REQUESTS}:
        return failure(RestError(fault.status, _SECONDARY_LIMIT))
    return failure(RestError(fault.status, HTTPStatus(fault.status).phrase))


async def parse(request: web.Request, shape: type[B]) -> B:
    """Read a request's body. Raises RestError."""
    try:
        body = orjson.loads(await request.read())
    except orjson.JSONDecodeError as error:
        raise RestError(400, "Problems parsing JSON") from error
    if not isinstance(body, dict):
        raise RestError(400, "Body should be a JSON object")
    try:
        return shape.model_validate(body, strict=True)
    except ValidationError as error:
        places = ", ".join(str(problem["loc"][0]) for problem in error.errors())
        raise RestError(422, f"Invalid request.\n\nFor '{places}', see the schema.") from error


async def find_sha(repository: Repository, revision: str) -> str:
    """Return a commit's SHA. Raises RestError with 422, as GitHub answers one it does not have."""
    try:
        return await repository.resolve(revision)
    except GitFailed as error:
        raise RestError(422, f"No commit found for SHA: {revision}") from error


def gate(token: str | None) -> Middleware:
    """Return the middleware that checks the caller and counts its requests."""
    used = 0

    @web.middleware
    async def check(request: web.Request, handler: Handler) -> web.StreamResponse:
        nonlocal used
        used += 1
        try:
            _admit(request, token)
            response = await handler(request)
        except RestError as error:
            response = failure(error)
        except web.HTTPNotFound:
            response = failure(not_found())
        response.headers.update(_limits(used))
        return response

    return check


def _admit(request: web.Request, token: str | None) -> None:
    if not request.headers.get("User-Agent"):
        raise RestError(403, "Request forbidden by administrative rules. Set a User-Agent header.")
    if token is None:
        return
    scheme, _, given = request.headers.get("Authorization", "").partition(" ")
    if not given:
        raise RestError(401, "Requires authentication")
    if scheme.lower() not in {"bearer", "token"}:
        raise RestError(401, "Bad credentials")
    if not hmac.compare_digest(given.encode(), token.encode()):
        raise RestError(401, "Bad credentials")


def _limits(used: int) -> dict[str, str]:
    spent = min(used, _HOURLY_LIMIT)
    now = int(time.time())
    return {
        "X-GitHub-Media-Type": "github.v3; format=json",
        "X-RateLimit-Limit": str(_HOURLY_LIMIT),
        "X-RateLimit-Remaining": str(_HOURLY_LIMIT - spent),
        "X-RateLimit-Used": str(spent),
        "X-RateLimit-Reset": str(now - now % _HOUR_SECONDS + _HOUR_SECONDS),
        "X-RateLimit-Resource": "core",
    }
