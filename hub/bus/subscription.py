"""A consumer group's view of the log in SQLite."""

import asyncio
from collections.abc import Sequence
from contextlib import suppress

import apsw

from hub.bus.interface import Record
from hub.bus.reading import Reading
from hub.bus.rows import seq_of
from hub.sqlite import Store

LOOK_AGAIN_SECONDS = 1.0
"""How often an idle subscriber looks for what another process has appended."""

_COMMIT = """
INSERT INTO positions VALUES (?1, ?2)
ON CONFLICT (consumers) DO UPDATE SET seq = ?2 WHERE seq < ?2
"""


class News:
    """Wakes whoever waits for events."""

    def __init__(self) -> None:
        self._event = asyncio.Event()

    def tell(self) -> None:
        """Wake all that wait."""
        self._event.set()
        self._event = asyncio.Event()

    def next(self) -> asyncio.Event:
        """Return what will be set; to miss nothing, take it before looking."""
        return self._event


class SqliteSubscription:
    """One member of a group. Members of one group do not share: each of them sees every event."""

    def __init__(
        self, *, store: Store, reading: Reading, news: News, group: str, committed: int
    ) -> None:
        self._store = store
        self._reading = reading
        self._news = news
        self._group = group
        self._polled = committed

    async def poll(self, limit: int) -> Sequence[Record]:
        """See Subscription.poll."""
        while True:
            news = self._news.next()
            if records := await self._reading.after(self._polled, limit):
                self._polled = seq_of(records[-1].position)
                return records
            with suppress(TimeoutError):
                async with asyncio.timeout(LOOK_AGAIN_SECONDS):
                    await news.wait()

    async def commit(self, records: Sequence[Record]) -> None:
        """See Subscription.commit. What was committed once stays so."""
        if not records:
            return
        seq = max(seq_of(record.position) for record in records)

        def job(file: apsw.Connection) -> None:
            file.execute(_COMMIT, (self._group, seq))

        await self._store.write(job)

    async def lag(self) -> int:
        """See Subscription.lag."""
        return await self._reading.lag(self._group)
