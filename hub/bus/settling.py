"""When the keys in memory are settled on disk: see `hub/bus/dedupe.py`."""

import asyncio
from contextlib import suppress
from functools import partial

from hub.bus import dedupe
from hub.errors import StorageError
from hub.sqlite import Store


class Settling:
    """Counts the keys, and moves them in the background when there are enough of them."""

    def __init__(self, *, store: Store) -> None:
        self._store = store
        self._gathered = 0
        self._pass: asyncio.Task[None] | None = None

    def gather(self, keys: int) -> None:
        """Count more keys. Only the owner of the file settles them."""
        self._gathered += keys
        idle = self._pass is None or self._pass.done()
        if idle and self._gathered >= dedupe.RECENT_EVENTS and self._store.owned:
            self._pass = asyncio.create_task(self._settle(), name="settle-event-keys")

    async def _settle(self) -> None:
        gathered = self._gathered
        start: int | None = 0
        # Where the disk fails, the next append meets it too and says so, and begins this again.
        with suppress(StorageError):
            until = await self._store.write(dedupe.remembered)
            while start is not None:
                start = await self._store.write(partial(dedupe.settle, start=start, until=until))
            self._gathered -= gathered
