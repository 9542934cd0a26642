"""`Workspace`: the channels of one Slack, and what stands in them."""

import html
import re
import time
from collections.abc import Sequence
from dataclasses import dataclass, replace
from itertools import count

from hub.errors import TrunklineError
from hub.sandbox.slack.limits import Json, are_valid, texts

_MAX_TEXT = 40_000
_TICKS = 1_000_000
"""A `ts` counts microseconds."""

_LINK = re.compile(r"<(?P<url>https?://[^|>]+)\|(?P<label>[^>]*)>")


class SlackError(TrunklineError):
    """Slack's `ok: false`; the message is its `error`."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Channel:
    """A channel; `name` is without its `#`."""

    id: str
    name: str
    is_archived: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class SlackMessage:
    """A message as it stands in its channel now."""

    channel: str
    """`#name`."""
    ts: str
    text: str
    """The fallback, as it was sent."""
    blocks: tuple[Json, ...] = ()
    metadata: Json | None = None
    thread_ts: str | None = None
    """The message that this one replies to."""
    edits: int = 0
    by_app: bool = True
    """Whether the hub's app wrote it; it cannot change what others wrote."""

    @property
    def shown(self) -> str:
        """What a person reads: the blocks' text, line by line, links as `label (url)`."""
        raw = [one["text"] for one in texts(self.blocks)] or [self.text]
        return html.unescape(_LINK.sub(r"\g<label> (\g<url>)", "\n".join(raw)))


class Workspace:
    """The state; its methods are what people and apps can do."""

    def __init__(self) -> None:
        self._channels: dict[str, Channel] = {}
        self._messages: dict[tuple[str, str], SlackMessage] = {}
        self._numbers = count(1)
        self._last_ts = 0

    def create_channel(self, name: str) -> Channel:
        """Create a channel, `#name`."""
        identity = f"C{next(self._numbers):010d}"
        self._channels[identity] = Channel(id=identity, name=name.removeprefix("#"))
        return self._channels[identity]

    def archive(self, name: str) -> None:
        """Archive a channel: nothing can be posted in it any more."""
        channel = self.channel(name)
        self._channels[channel.id] = replace(channel, is_archived=True)

    def channels(self) -> Sequence[Channel]:
        """Return all channels."""
        return tuple(self._channels.values())

    def channel(self, named: str, *, by_name: bool = True) -> Channel:
        """Return a channel by its id or, where that is taken, by `#name`. Raises SlackError."""
        found = self._channels.get(named)
        if found is None and by_name:
            wanted = named.removeprefix("#")
            found = next((one for one in self._channels.values() if one.name == wanted), None)
        if found is None:
            raise SlackError("channel_not_found")
        return found

    def messages(self, channel: str) -> Sequence[SlackMessage]:
        """Return the messages of a channel, oldest first, without the replies."""
        return tuple(one for one in self._of(channel) if one.thread_ts is None)

    def thread(self, ts: str) -> Sequence[SlackMessage]:
        """Return the replies to a message, oldest first."""
        return tuple(one for one in self._messages.values() if one.thread_ts == ts)

    def post(self, message: SlackMessage) -> SlackMessage:
        """Post a message; its `ts` is given here. Raises SlackError."""
        channel = self.channel(message.channel)
        if channel.is_archived:
            raise SlackError("is_archived")
        _check(message)
        parent = message.thread_ts
        if parent is not None and (channel.id, parent) not in self._messages:
            raise SlackError("thread_not_found")
        posted = replace(message, channel=f"#{channel.name}", ts=self._next_ts())
        self._messages[channel.id, posted.ts] = posted
        return posted

    def update(self, message: SlackMessage) -> SlackMessage:
        """Replace the app's own message; its channel must be an id. Raises SlackError."""
        channel = self.channel(message.channel, by_name=False)
        before = self._messages.get((channel.id, message.ts))
        if before is None:
            raise SlackError("message_not_found")
        if not before.by_app:
            raise SlackError("cant_update_message")
        _check(message)
        after = replace(
            before,
            text=message.text,
            blocks=message.blocks,
            metadata=message.metadata or before.metadata,
            edits=before.edits + 1,
        )
        self._messages[channel.id, message.ts] = after
        return after

    def delete(self, channel: str, ts: str) -> None:
        """Delete a message, as a person may. Raises SlackError where there is none."""
        if self._messages.pop((self.channel(channel).id, ts), None) is None:
            raise SlackError("message_not_found")

    def _of(self, channel: str) -> Sequence[SlackMessage]:
        wanted = self.channel(channel).id
        return [one for (place, _), one in self._messages.items() if place == wanted]

    def _next_ts(self) -> str:
        self._last_ts = max(int(time.time() * _TICKS), self._last_ts + 1)
        return f"{self._last_ts // _TICKS}.{self._last_ts % _TICKS:06d}"


def _check(message: SlackMessage) -> None:
    if not message.text and not message.blocks:
        raise SlackError("no_text")
    if len(message.text) > _MAX_TEXT:
        raise SlackError("msg_too_long")
    if not are_valid(message.blocks):
        raise SlackError("invalid_blocks")
