"""A platform for a story: the sandbox world and a hub in it, told in the user's words."""

import asyncio
from collections.abc import AsyncIterator, Callable, Mapping
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import pytest

from hub.configuration import load
from hub.journal.interface import Run, RunState
from hub.sandbox.slack.workspace import SlackMessage
from hub.sandbox.world import World
from hub.wiring import Hub

QUICK = {
    "slack": {"seconds_per_message": 0},
    "dispatch": {"retry_base_seconds": 0.01, "retry_cap_seconds": 0.05},
}
"""A story does not wait for what only has to wait in the world outside."""

PATIENCE_SECONDS = 60.0
"""Then a story is stuck, whatever the machine is busy with."""

CHANNEL = "#deployments"


class Platform:
    """The world, and the hub that is to keep up with it."""

    def __init__(self, folder: Path, changes: Mapping[str, Any]) -> None:
        self._folder = folder
        self._changes = changes
        self.world: World
        self.hub: Hub

    @asynccontextmanager
    async def open(self) -> AsyncIterator["Platform"]:
        scratch = self._folder / "world"
        scratch.mkdir()
        async with World(scratch=scratch) as self.world:
            async with self.hub_running():
                await self.world.settled()
                yield self

    @asynccontextmanager
    async def hub_running(self) -> AsyncIterator[None]:
        file = self._folder / "trunkline.yaml"
        file.unlink(missing_ok=True)
        self.world.write_settings(
            file, state=self._folder / "state", port=0, admin_port=0, changes=self._changes
        )
        async with Hub(load(file, {})) as self.hub:
            self.world.connect(f"http://127.0.0.1:{self.hub.port}")
            yield

    @asynccontextmanager
    async def restarted(self) -> AsyncIterator[None]:
        """The same hub again, on the same log."""
        await self.hub.__aexit__(None, None, None)
        async with self.hub_running():
            yield

    async def settled(self, *, retrying: bool = False) -> None:
        """Wait until neither the world nor the hub has anything left to do by itself."""
        await eventually(lambda: self._quiet(retrying=retrying))

    async def _quiet(self, *, retrying: bool) -> bool:
        before = await self._last_position()
        await self.world.settled()
        if not await self._idle(retrying=retrying):
            return False
        await self.world.settled()
        return await self._last_position() == before and await self._idle(retrying=retrying)

    async def _idle(self, *, retrying: bool) -> bool:
        await self.hub.backlog.refresh()
        runs = self.hub.backlog.runs()
        busy = [RunState.RUNNING] if retrying else [RunState.RUNNING, RunState.READY, RunState.RETRYING]
        return self.hub.backlog.lag() == 0 and not any(runs[state] for state in busy)

    async def _last_position(self) -> str:
        records = await self.hub.bus.recent(1)
        return records[-1].position if records else ""

    def messages(self) -> dict[str, SlackMessage]:
        """The messages in #deployments, by the deployment in their title's first words."""
        posted = self.world.slack.messages(CHANNEL)
        found = {message.text.partition(":")[0]: message for message in posted}
        assert len(found) == len(posted), "two messages about one deployment"
        return found

    async def runs(self, handler: str) -> list[Run]:
        return list(await self.hub.journal.runs(handler=handler, limit=10_000))

    def pipeline_runs(self) -> list[Any]:
        return self.world.cluster.pipeline_runs()


async def eventually(holds: Callable[[], Any]) -> None:
    """Look until it holds. The one place in the stories that waits by looking."""
    async with asyncio.timeout(PATIENCE_SECONDS):
        while not await holds():
            await asyncio.sleep(0.01)


@pytest.fixture
async def platform(tmp_path: Path) -> AsyncIterator[Platform]:
    async with Platform(tmp_path, QUICK).open() as one:
        yield one
