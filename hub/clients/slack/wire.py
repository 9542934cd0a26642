"""The JSON of Slack's Web API, as far as the hub writes and reads it. Pure: no I/O."""

from dataclasses import dataclass

from pydantic import BaseModel, ConfigDict, Field, JsonValue, ValidationError

from hub.clients.slack.blocks import Message

_EVENT_TYPE = "trunkline_message"
"""Marks our messages: https://docs.slack.dev/messaging/message-metadata."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Mark:
    """What a message of ours carries unseen: which one it is, and which version it shows."""

    key: str
    version: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Seen:
    """A message of ours that was found in Slack."""

    ts: str
    mark: Mark


class Part(BaseModel):
    """A part of what Slack sends; the rest of it is left alone."""

    model_config = ConfigDict(extra="ignore", hide_input_in_errors=True)


class Payload(Part):
    """Which message it is, and which version it shows."""

    key: str
    version: int = 0


class Metadata(Part):
    """What is attached to a message unseen."""

    event_type: str
    event_payload: Payload


class Outgoing(Part):
    """`chat.postMessage` and `chat.update`. Slack is to interpret nothing by itself."""

    channel: str
    ts: str | None = None
    thread_ts: str | None = None
    text: str
    blocks: tuple[JsonValue, ...]
    metadata: Metadata
    parse: str = "none"
    link_names: bool = False
    mrkdwn: bool = False
    unfurl_links: bool = False
    unfurl_media: bool = False


class Reply(Part):
    """What every method answers; `error` is a word such as `channel_not_found`."""

    ok: bool
    error: str = ""


class PostedReply(Reply):
    """Where a message stands now."""

    channel: str = ""
    ts: str = ""


class Listed(Part):
    """A message of a channel or a thread."""

    ts: str
    metadata: JsonValue = None
    """Anybody's, so that it is only looked at once it is known to be ours."""


class MessagesReply(Reply):
    """Messages, newest first in a channel, oldest first in a thread."""

    messages: tuple[Listed, ...] = ()


class Channel(Part):
    """A channel of the workspace."""

    id: str
    name: str = ""


class Cursor(Part):
    """Where the next page begins; empty on the last one."""

    next_cursor: str = ""


class ChannelsReply(Reply):
    """A page of the list of channels."""

    channels: tuple[Channel, ...] = ()
    response_metadata: Cursor = Field(default_factory=Cursor)


def outgoing(
    message: Message,
    mark: Mark,
    *,
    channel: str,
    ts: str | None = None,
    thread_ts: str | None = None,
) -> Outgoing:
    """Make the body that posts a message, replies with it, or replaces another by it."""
    payload = Payload(key=mark.key, version=mark.version)
    return Outgoing(
        channel=channel,
        ts=ts,
        thread_ts=thread_ts,
        text=message.text,
        blocks=tuple(block.to_dict() for block in message.blocks),
        metadata=Metadata(event_type=_EVENT_TYPE, event_payload=payload),
    )


def seen_in(message: Listed) -> Seen | None:
    """Return what a message of ours says of itself; None for anybody else's."""
    try:
        metadata = Metadata.model_validate(message.metadata)
    except ValidationError:
        return None
    if metadata.event_type != _EVENT_TYPE:
        return None
    payload = metadata.event_payload
    return Seen(ts=message.ts, mark=Mark(key=payload.key, version=payload.version))
