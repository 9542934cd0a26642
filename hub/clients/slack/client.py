"""Slack: keeps one living message for each key, with its details in a thread.

A message is posted at most once, but for one case: the answer to the post was lost, and the message
cannot be found in the channel either. All its text is data; `blocks` sees to that.
"""

import uuid
from collections.abc import AsyncIterator, Collection
from contextlib import asynccontextmanager

from hub.actions.action import Call
from hub.actions.slack import KeepMessage, PostedMessage, ReplyInThread
from hub.clients.answer import OutcomeUnknownError
from hub.clients.http import CALL_SECONDS, Http
from hub.clients.pacing import Turns
from hub.clients.slack.api import SlackApi
from hub.clients.slack.blocks import Message, render, render_reply
from hub.clients.slack.notes import Held, Note, Notes
from hub.clients.slack.wire import Mark
from hub.errors import PermanentError, TemporaryError
from hub.events.identity import derive_id
from hub.journal.interface import Records
from hub.secrets import SecretPlace
from hub.settings import SlackSettings

MESSAGE = "slack-message"
REPLY = "slack-reply"

SECONDS_PER_MESSAGE = 1.0
"""In one channel: https://docs.slack.dev/apis/web-api/rate-limits."""

_IN_FLIGHT_SECONDS = CALL_SECONDS + 5.0
"""After this a post by another process has been answered or has failed."""

_CLOCK_DIFFERENCE_SECONDS = 60.0
"""How far Slack's clock may be behind ours when a message is looked for."""

_BUSY_SECONDS = 1.0


class Slack:
    """The hub's messages in one workspace."""

    def __init__(
        self,
        *,
        settings: SlackSettings,
        http: Http,
        token: SecretPlace,
        records: Records,
        link_hosts: Collection[str] = (),
        seconds_per_message: float = SECONDS_PER_MESSAGE,
    ) -> None:
        """`link_hosts` are the hosts of other settings' addresses, beside those of Slack's."""
        self._api = SlackApi(settings=settings, http=http, token=token)
        self._notes = Notes(records)
        self._turns = Turns(seconds=seconds_per_message, monotonic=http.monotonic)
        self._hosts = frozenset(host.lower() for host in (*settings.link_hosts, *link_hosts))
        self._wall = http.wall
        self._me = uuid.uuid4().hex
        self._busy: set[str] = set()

    async def keep(self, action: KeepMessage, _call: Call) -> PostedMessage:
        """Post the message, or update it where its version has grown.

        One that somebody has deleted, or that can no longer be changed, is posted anew.

        Raises TemporaryError while Slack or the pace of the channel wants it to wait.
        """
        message = render(action.title, action.lines, self._hosts)
        mark = Mark(key=action.key, version=action.version)
        async with self._alone(MESSAGE, action.key) as held:
            known = await self._known(held, action.channel)
            posted = known.note.posted
            if posted is None and action.only_update:
                return PostedMessage(channel=action.channel, ts="")
            if posted is None:
                return await self._post(known, message, mark, channel=action.channel)
            if mark.version <= known.note.version:
                return posted
            if not await self._api.update(message, mark, at=posted):
                return await self._post(known, message, mark, channel=action.channel)
            await self._notes.write(known, known.note.model_copy(update={"version": mark.version}))
            return posted

    async def reply(self, action: ReplyInThread, _call: Call) -> PostedMessage:
        """Add a detail to the thread. Several events may tell of it: the same words stand once."""
        message = render_reply(action.text)
        parent = (await self._notes.recall(MESSAGE, action.key)).note.posted
        if parent is None:
            raise TemporaryError(f"the message {action.key} has not been posted yet")
        key = derive_id(action.key, action.text)
        async with self._alone(REPLY, key) as held:
            known = await self._known(held, parent.channel, thread=parent.ts)
            if known.note.posted is not None:
                return known.note.posted
            mark = Mark(key=key, version=1)
            return await self._post(known, message, mark, channel=parent.channel, thread=parent.ts)

    @asynccontextmanager
    async def _alone(self, kind: str, key: str) -> AsyncIterator[Held]:
        """Hold a message so that no other run of this process writes it at the same time."""
        name = f"{kind} {key}"
        if name in self._busy:
            raise TemporaryError("the same message is being written", after=_BUSY_SECONDS)
        self._busy.add(name)
        try:
            yield await self._notes.recall(kind, key)
        finally:
            self._busy.discard(name)

    async def _known(self, held: Held, channel: str, *, thread: str | None = None) -> Held:
        """Settle what became of an attempt to post that was never answered."""
        since = held.note.intended_at
        if held.note.posted is not None or since is None:
            return held
        found = await self._find(held.key, channel, thread, since - _CLOCK_DIFFERENCE_SECONDS)
        if found is not None:
            return await self._notes.write(held, found)
        remaining = since + _IN_FLIGHT_SECONDS - self._wall()
        if held.note.intended_by != self._me and remaining > 0:
            raise TemporaryError("another process may be posting this message", after=remaining)
        return held

    async def _find(self, key: str, channel: str, thread: str | None, since: float) -> Note | None:
        try:
            channel_id = await self._api.channel_id(channel)
            if channel_id is None:
                return None
            seen = await self._api.find(key, channel=channel_id, thread=thread, since=since)
        except PermanentError:
            # The token may not read the channel: posting a second time is all that is left.
            return None
        if seen is None:
            return None
        return Note(channel=channel_id, ts=seen.ts, version=seen.mark.version)

    async def _post(
        self,
        held: Held,
        message: Message,
        mark: Mark,
        *,
        channel: str,
        thread: str | None = None,
    ) -> PostedMessage:
        channel = self._api.known(channel)
        self._api.check_post(channel)
        await self._turns.wait(channel, mark.key)
        intent = Note(intended_at=self._wall(), intended_by=self._me)
        held = await self._notes.write(held, intent)
        try:
            posted = await self._api.post(message, mark, channel=channel, thread=thread)
        except OutcomeUnknownError:
            raise
        except (TemporaryError, PermanentError):
            await self._notes.write(held, Note())
            raise
        note = Note(channel=posted.channel, ts=posted.ts, version=mark.version)
        await self._notes.write(held, note)
        return posted
