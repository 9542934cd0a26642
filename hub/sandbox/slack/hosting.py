"""`Slack`: one workspace that is served, looked at, and changed by people."""

from collections.abc import Sequence

from hub.sandbox.faults import Faults
from hub.sandbox.loopback import Loopback
from hub.sandbox.slack.web_api import WebApi
from hub.sandbox.slack.workspace import SlackMessage, Workspace


class Slack:
    """One Slack. `messages` and `thread` say what stands there, in the order it was posted."""

    def __init__(
        self,
        *,
        faults: Faults,
        token: str | None = None,
        channels: Sequence[str] = ("#deployments",),
        is_paced: bool = False,
    ) -> None:
        """With a `token` every request must carry it; `is_paced` minds one message a second."""
        self.workspace = Workspace()
        for name in channels:
            self.workspace.create_channel(name)
        self._api = WebApi(self.workspace, token=token, is_paced=is_paced)
        self._server = Loopback(self._api.application(faults))

    @property
    def url(self) -> str:
        """The base address of the Web API, known once started."""
        return f"{self._server.url}/api"

    async def start(self) -> str:
        """Listen, and return the base address of the Web API."""
        await self._server.start()
        return self.url

    async def stop(self) -> None:
        """Stop listening."""
        await self._server.stop()

    def messages(self, channel: str) -> Sequence[SlackMessage]:
        """Return the messages of a channel, oldest first, without the replies."""
        return self.workspace.messages(channel)

    def thread(self, ts: str) -> Sequence[SlackMessage]:
        """Return the replies to a message, oldest first."""
        return self.workspace.thread(ts)

    def say(self, channel: str, text: str, *, thread: str | None = None) -> SlackMessage:
        """Post what a person writes."""
        written = SlackMessage(channel=channel, ts="", text=text, thread_ts=thread, by_app=False)
        return self.workspace.post(written)

    def delete(self, message: SlackMessage) -> None:
        """Delete a message."""
        self.workspace.delete(message.channel, message.ts)

    def archive(self, channel: str) -> None:
        """Archive a channel."""
        self.workspace.archive(channel)

    def rotate_token(self, token: str) -> None:
        """From now on only `token` is good."""
        self._api.token = token
