"""Slack: keep one living message, with its details in a thread.

API: https://docs.slack.dev/reference/methods/chat.postMessage and chat.update.
"""

from dataclasses import dataclass
from typing import ClassVar

from hub.actions.action import Action


@dataclass(frozen=True, slots=True, kw_only=True)
class MessageLine:
    """One line of a message: what it is about, and what there is to say. Both are plain text."""

    label: str
    text: str
    url: str | None = None
    """Only hosts that the settings allow become links."""


@dataclass(frozen=True, slots=True, kw_only=True)
class PostedMessage:
    """Where a message stands."""

    channel: str
    ts: str
    """Empty where there is none."""


@dataclass(frozen=True, slots=True, kw_only=True)
class KeepMessage(Action[PostedMessage]):
    """Post the message named `key`, or update it where it has been posted before.

    All text is data: it is escaped, and cannot mention anybody. At least once: a second message is
    possible only when Slack's answer to the first post was lost.
    """

    name: ClassVar[str] = "slack.keep_message"
    result: ClassVar[type] = PostedMessage

    key: str
    """What the message is about, for example `deployment/order-service/staging/<sha>`."""
    channel: str
    title: str
    lines: tuple[MessageLine, ...]
    version: int
    """Grows with the state that is shown: an update with a lower version changes nothing."""
    only_update: bool = False
    """Whether nothing is said where nothing was said before: that all is well again."""

    def supposed(self) -> PostedMessage:
        """A message that has been posted."""
        return PostedMessage(channel=self.channel, ts="0")


@dataclass(frozen=True, slots=True, kw_only=True)
class ReplyInThread(Action[PostedMessage]):
    """Add a detail to the thread of the message named `key`; the same words are added once."""

    name: ClassVar[str] = "slack.reply_in_thread"
    result: ClassVar[type] = PostedMessage

    key: str
    channel: str
    text: str

    def supposed(self) -> PostedMessage:
        """A reply that has been posted."""
        return PostedMessage(channel=self.channel, ts="0")
