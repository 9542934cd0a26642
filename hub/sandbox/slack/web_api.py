"""The methods of the Web API on their paths. What goes wrong comes as 200 with `ok: false`.

Protocol: https://docs.slack.dev/apis/web-api; rate limits:
https://docs.slack.dev/apis/web-api/rate-limits.
"""

import hmac
import time
from collections.abc import Awaitable, Callable
from http import HTTPStatus
from typing import Any

import orjson
from aiohttp import web
from pydantic import BaseModel, Field, ValidationError

from hub.sandbox.faults import Faults, Status
from hub.sandbox.slack.limits import Json
from hub.sandbox.slack.workspace import SlackError, SlackMessage, Workspace

_PAGE = 100
_SECONDS_PER_MESSAGE = 1.0

Method = Callable[[web.Request], Awaitable[dict[str, Any]]]


class _Metadata(BaseModel):
    event_type: str
    event_payload: dict[str, Any]


class _Body(BaseModel):
    channel: str
    ts: str = ""
    thread_ts: str | None = None
    text: str = ""
    blocks: tuple[dict[str, Any], ...] = ()
    metadata: _Metadata | None = None


class _Query(BaseModel):
    channel: str = ""
    ts: str = ""
    oldest: float = 0
    limit: int = Field(default=_PAGE, ge=1, le=1000)
    cursor: int = 0
    include_all_metadata: bool = False


class RateLimitedError(SlackError):
    """Answered with 429 and `Retry-After`."""


class WebApi:
    """The methods, over one workspace."""

    def __init__(self, workspace: Workspace, *, token: str | None, is_paced: bool) -> None:
        self.token = token
        """What every request must carry; None takes any."""
        self._workspace = workspace
        self._is_paced = is_paced
        self._posted_at: dict[str, float] = {}

    def application(self, faults: Faults) -> web.Application:
        """Return it as an aiohttp application."""
        app = web.Application(middlewares=[faults.middleware("slack", answer=_spoilt)])
        app.add_routes(
            [
                web.post("/api/chat.postMessage", self._method(self._post)),
                web.post("/api/chat.update", self._method(self._update)),
                web.get("/api/conversations.history", self._method(self._history)),
                web.get("/api/conversations.replies", self._method(self._replies)),
                web.get("/api/conversations.list", self._method(self._list)),
            ]
        )
        return app

    def _method(self, method: Method) -> Callable[[web.Request], Awaitable[web.Response]]:
        async def serve(request: web.Request) -> web.Response:
            try:
                self._admit(request)
                return _reply({"ok": True, **await method(request)})
            except RateLimitedError as error:
                return _reply(
                    {"ok": False, "error": str(error)}, status=429, headers={"Retry-After": "1"}
                )
            except SlackError as error:
                return _reply({"ok": False, "error": str(error)})

        return serve

    def _admit(self, request: web.Request) -> None:
        scheme, _, given = request.headers.get("Authorization", "").partition(" ")
        if scheme != "Bearer" or not given:
            raise SlackError("not_authed")
        if self.token is not None and not hmac.compare_digest(given.encode(), self.token.encode()):
            raise SlackError("invalid_auth")

    async def _post(self, request: web.Request) -> dict[str, Any]:
        body = await _body(request)
        self._pace(self._workspace.channel(body.channel).id)
        return self._shown(self._workspace.post(_message(body)))

    async def _update(self, request: web.Request) -> dict[str, Any]:
        return self._shown(self._workspace.update(_message(await _body(request))))

    async def _history(self, request: web.Request) -> dict[str, Any]:
        query = _query(request)
        channel = self._workspace.channel(query.channel, by_name=False)
        newest_first = reversed(self._workspace.messages(channel.id))
        return _page(list(newest_first), query)

    async def _replies(self, request: web.Request) -> dict[str, Any]:
        query = _query(request)
        channel = self._workspace.channel(query.channel, by_name=False)
        parent = [one for one in self._workspace.messages(channel.id) if one.ts == query.ts]
        if not parent:
            raise SlackError("thread_not_found")
        return _page([*parent, *self._workspace.thread(query.ts)], query)

    async def _list(self, request: web.Request) -> dict[str, Any]:
        query = _query(request)
        channels = self._workspace.channels()
        end = query.cursor + query.limit
        return {
            "channels": [
                {"id": one.id, "name": one.name, "is_archived": one.is_archived}
                for one in channels[query.cursor : end]
            ],
            "response_metadata": {"next_cursor": str(end) if end < len(channels) else ""},
        }

    def _pace(self, channel: str) -> None:
        """Refuse a second message within a second, where this Slack is told to mind it."""
        now = time.monotonic()
        if self._is_paced and now - self._posted_at.get(channel, 0.0) < _SECONDS_PER_MESSAGE:
            raise RateLimitedError("ratelimited")
        self._posted_at[channel] = now

    def _shown(self, message: SlackMessage) -> dict[str, Any]:
        channel = self._workspace.channel(message.channel)
        return {"channel": channel.id, "ts": message.ts, "message": _json(message, metadata=True)}


def _message(body: _Body) -> SlackMessage:
    return SlackMessage(
        channel=body.channel,
        ts=body.ts,
        text=body.text,
        blocks=body.blocks,
        metadata=body.metadata.model_dump() if body.metadata else None,
        thread_ts=body.thread_ts,
    )


def _page(messages: list[SlackMessage], query: _Query) -> dict[str, Any]:
    found = [one for one in messages if float(one.ts) >= query.oldest]
    shown = found[: query.limit]
    return {
        "messages": [_json(one, metadata=query.include_all_metadata) for one in shown],
        "has_more": len(found) > len(shown),
    }


def _json(message: SlackMessage, *, metadata: bool) -> Json:
    shown: dict[str, Any] = {"type": "message", "ts": message.ts, "text": message.text}
    if message.blocks:
        shown["blocks"] = list(message.blocks)
    if message.thread_ts is not None:
        shown["thread_ts"] = message.thread_ts
    if metadata and message.metadata is not None:
        shown["metadata"] = message.metadata
    return shown


async def _body(request: web.Request) -> _Body:
    if request.content_type != "application/json":
        raise SlackError("invalid_form_data")
    try:
        return _Body.model_validate_json(await request.read())
    except ValidationError as error:
        raise SlackError("invalid_arguments") from error


def _query(request: web.Request) -> _Query:
    try:
        return _Query.model_validate({name: text for name, text in request.query.items() if text})
    except ValidationError as error:
        raise SlackError("invalid_arguments") from error


def _reply(body: Json, *, status: int = 200, headers: dict[str, str] | None = None) -> web.Response:
    return web.Response(
        body=orjson.dumps(body), status=status, headers=headers, content_type="application/json"
    )


def _spoilt(fault: Status) -> web.Response:
    """Answer as Slack does when told to fail."""
    if fault.status == HTTPStatus.TOO_MANY_REQUESTS:
        return _reply({"ok": False, "error": "ratelimited"}, status=fault.status)
    return web.Response(status=fault.status, text="Server Error\n")
