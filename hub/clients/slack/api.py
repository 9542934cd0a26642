"""Slack's Web API: the methods that the hub uses, and what their errors mean.

https://docs.slack.dev/apis/web-api. An error comes as 200 with `ok: false`; a rate limit as 429
with `Retry-After`, which holds for one method in one channel. Nothing here decides what to post.
"""

import re
from http import HTTPStatus
from typing import TypeVar

from pydantic import ValidationError

from hub.actions.slack import PostedMessage
from hub.clients.answer import Answer, OutcomeUnknownError, clean
from hub.clients.endpoint import Endpoint
from hub.clients.http import Http, Request, path_of
from hub.clients.slack.blocks import Message
from hub.clients.slack.wire import (
    ChannelsReply,
    Mark,
    MessagesReply,
    Outgoing,
    PostedReply,
    Reply,
    Seen,
    outgoing,
    seen_in,
)
from hub.errors import PermanentError, TemporaryError
from hub.secrets import SecretPlace
from hub.settings import SlackSettings

_LOOK_BACK = 100
"""Messages that are looked through for one of ours: at one a second, more than a minute's worth."""

_CHANNEL_PAGE = 1000
_CHANNEL_PAGES = 10
"""Pages of the list of channels that are read at most."""

_CHANNEL_ID = re.compile(r"[CGD][A-Z0-9]{8,}")

_BUSY = frozenset({"ratelimited", "rate_limited", "message_limit_exceeded"})
_BUSY_SECONDS = 60.0
_BROKEN = frozenset(
    {"internal_error", "fatal_error", "request_timeout", "service_unavailable", "team_added_to_org"}
)
"""Slack's own trouble; "some aspect of the operation" may have succeeded."""
_TOKEN = frozenset(
    {
        "invalid_auth",
        "not_authed",
        "token_revoked",
        "token_expired",
        "account_inactive",
        "missing_scope",
        "no_permission",
        "not_allowed_token_type",
    }
)
_CHANNEL = frozenset({"channel_not_found", "not_in_channel", "is_archived", "restricted_action"})
_GONE = frozenset({"message_not_found", "cant_update_message", "edit_window_closed"})


_R = TypeVar("_R", bound=Reply)


class SlackApi:
    """The workspace, with the rights of one token."""

    def __init__(self, *, settings: SlackSettings, http: Http, token: SecretPlace) -> None:
        self._endpoint = Endpoint(http, url=settings.api_url, system="Slack", credential=token)
        self._token = token
        self._ids: dict[str, str] = {}

    def known(self, channel: str) -> str:
        """Return a channel's id where Slack has told it, so that one channel is one lane."""
        return self._ids.get(channel, channel)

    def check_post(self, channel: str) -> None:
        """Raise TemporaryError where Slack wants no post in this channel now."""
        self._endpoint.check(_lane("chat.postMessage", channel))

    async def post(
        self, message: Message, mark: Mark, *, channel: str, thread: str | None
    ) -> PostedMessage:
        """Post a message, or a reply where `thread` is the `ts` of another.

        Raises OutcomeUnknownError where it may have been posted all the same.
        """
        body = outgoing(message, mark, channel=channel, thread_ts=thread)
        reply = await self._write("chat.postMessage", body, PostedReply)
        self._check(reply, channel)
        self._ids[channel] = reply.channel
        return PostedMessage(channel=reply.channel, ts=reply.ts)

    async def update(self, message: Message, mark: Mark, *, at: PostedMessage) -> bool:
        """Replace a message; False where it is gone or can no longer be changed."""
        body = outgoing(message, mark, channel=at.channel, ts=at.ts)
        reply = await self._write("chat.update", body, PostedReply)
        if not reply.ok and reply.error in _GONE:
            return False
        self._check(reply, at.channel)
        return True

    async def find(
        self, key: str, *, channel: str, thread: str | None, since: float
    ) -> Seen | None:
        """Look for our message `key` among those posted since a Unix time.

        Looks through the last 100 of the channel, or of the thread.
        """
        method = "conversations.history" if thread is None else "conversations.replies"
        query = {
            "channel": channel,
            "oldest": f"{since:.6f}",
            "limit": str(_LOOK_BACK),
            "include_all_metadata": "true",
        }
        if thread is not None:
            query["ts"] = thread
        reply = await self._read(method, query, MessagesReply)
        self._check(reply, channel)
        seen = (seen_in(message) for message in reply.messages)
        return next((one for one in seen if one is not None and one.mark.key == key), None)

    async def channel_id(self, channel: str) -> str | None:
        """Return the id of a public channel that is given as `#name`, or as an id already."""
        if _CHANNEL_ID.fullmatch(self.known(channel)):
            return self.known(channel)
        cursor = ""
        for _ in range(_CHANNEL_PAGES):
            query = {"limit": str(_CHANNEL_PAGE), "cursor": cursor, "exclude_archived": "true"}
            reply = await self._read("conversations.list", query, ChannelsReply)
            self._check(reply, channel)
            for one in reply.channels:
                if one.name == channel.removeprefix("#"):
                    return one.id
            cursor = reply.response_metadata.next_cursor
            if not cursor:
                break
        return None

    async def _write(self, method: str, body: Outgoing, shape: type[_R]) -> _R:
        request = Request(
            method="POST",
            path=path_of(method),
            body=body.model_dump_json(exclude_none=True).encode(),
            lane=_lane(method, body.channel),
        )
        return _parsed(await self._endpoint.call(request, answered={HTTPStatus.OK}), shape)

    async def _read(self, method: str, query: dict[str, str], shape: type[_R]) -> _R:
        request = Request(
            method="GET",
            path=path_of(method),
            query=tuple(query.items()),
            lane=_lane(method, query.get("channel", "")),
        )
        return _parsed(await self._endpoint.call(request, answered={HTTPStatus.OK}), shape)

    def _check(self, reply: Reply, channel: str) -> None:
        """Raise what an `ok: false` means."""
        if reply.ok:
            return
        error = clean(reply.error)
        if error in _BUSY:
            raise TemporaryError(f"Slack answered {error}", after=_BUSY_SECONDS)
        if error in _BROKEN:
            raise OutcomeUnknownError(f"Slack answered {error}")
        if error in _TOKEN:
            raise PermanentError(f"Slack answered {error}: replace {self._token.where}")
        if error in _CHANNEL:
            raise PermanentError(
                f"Slack answered {error}: the app must be a member of {clean(channel)}, "
                "and the channel must be open"
            )
        raise PermanentError(f"Slack answered {error}")


def _lane(method: str, channel: str) -> str:
    return f"{method} {channel}"


def _parsed(answer: Answer, shape: type[_R]) -> _R:
    try:
        return shape.model_validate_json(answer.body)
    except ValidationError as error:
        raise OutcomeUnknownError("Slack sent an answer that cannot be read") from error
