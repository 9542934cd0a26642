"""`Pace`: how long the stages of a simulated controller take, and when they stand still."""

import asyncio


class Pace:
    """The gate between two stages. Open it lets through after a moment, held never."""

    def __init__(self, *, stage_seconds: float) -> None:
        self.stage_seconds = stage_seconds
        """How long each stage takes; 0 is one turn of the event loop."""
        self._open = asyncio.Event()
        self._open.set()

    def hold(self) -> None:
        """Let nothing go on to its next stage."""
        self._open.clear()

    def release(self) -> None:
        """Let everything go on."""
        self._open.set()

    async def stage(self) -> None:
        """Wait for the end of a stage."""
        await asyncio.sleep(self.stage_seconds)
        await self._open.wait()
