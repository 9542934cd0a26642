"""The log in a SQLite file: the port of `hub/bus/interface.py` around the jobs beside it.

An append is one job of the store, and whatever arrives together is one commit. Bodies lie packed
(`hub/bus/bodies.py`); which events are known already is told by `hub/bus/dedupe.py`.
"""

import asyncio
import time
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import asynccontextmanager

import apsw

from hub.bus import dedupe, pruning
from hub.bus.appending import Appending
from hub.bus.bodies import LargeBodies
from hub.bus.interface import Position, Receipt, Record, Stored
from hub.bus.reading import Reading
from hub.bus.rows import seq_of
from hub.bus.settling import Settling
from hub.bus.subscription import News, SqliteSubscription
from hub.errors import Malformed, StorageError
from hub.events.envelope import Envelope
from hub.sqlite import Store

CHECK_BYTES = 64 * 1024
"""What `check` tries to write: more than nearly every event takes."""

PROVEN_SECONDS = 1.0
"""How long a success speaks for the next append, so that `check` may be asked often."""

_NEVER = float("-inf")


class SqliteBus:
    """The log. `store` must have been migrated with `hub.bus.schema.MIGRATIONS`."""

    def __init__(
        self,
        *,
        store: Store,
        clock: Callable[[], float] = time.time,
        monotonic: Callable[[], float] = time.monotonic,
    ) -> None:
        """`clock` gives Unix time, `monotonic` any steady one, both in seconds."""
        self._store = store
        self._monotonic = monotonic
        self._reading = Reading(store=store)
        self._bodies = LargeBodies(store=store)
        self._appending = Appending(
            store=store, reading=self._reading, bodies=self._bodies, clock=clock
        )
        self._settling = Settling(store=store)
        self._news = News()
        self._recovering = asyncio.Lock()
        self._recovered = False
        self._proven_until = _NEVER

    async def recover(self) -> None:
        """Read what dedupe must remember, and sweep what a crash has left of large bodies.

        The first append does it where nobody has. Raises StorageError.
        """
        async with self._recovering:
            if not self._recovered:
                if self._store.owned:
                    await self._bodies.sweep()
                self._settling.gather(await self._store.write(dedupe.remember))
                self._recovered = True

    async def append(self, events: Sequence[Envelope]) -> Sequence[Receipt]:
        """See Bus.append. An event that a Conflict has kept out is answered with that Conflict.

        Raises Conflicting where two of the events have one id and different bodies, and Malformed
        where an attribute cannot be written as UTF-8.
        """
        if not self._recovered:
            await self.recover()
        try:
            receipts = await self._appending.append(events)
        except StorageError:
            self._proven_until = _NEVER
            raise
        except UnicodeEncodeError as error:
            raise Malformed("an attribute has characters that are no text") from error
        if stored := sum(isinstance(receipt, Stored) for receipt in receipts):
            self._note(stored)
        return receipts

    @asynccontextmanager
    async def subscribe(self, group: str) -> AsyncIterator[SqliteSubscription]:
        """See Bus.subscribe. A group that is new begins at the first event."""
        yield SqliteSubscription(
            store=self._store,
            reading=self._reading,
            news=self._news,
            group=group,
            committed=await self._reading.committed(group),
        )

    async def find(self, event_id: str) -> Sequence[Record]:
        """See Bus.find."""
        return await self._reading.named(event_id)

    async def read(self, *, after: Position | None, limit: int) -> Sequence[Record]:
        """See Bus.read. Raises Malformed where `after` is no position."""
        return await self._reading.after(0 if after is None else seq_of(after), limit)

    async def recent(self, limit: int) -> Sequence[Record]:
        """See Bus.recent."""
        return await self._reading.latest(limit)

    async def check(self) -> None:
        """See Bus.check. Where the last append failed or was long ago, it tries to write."""
        if self._monotonic() >= self._proven_until:
            await self._store.write(_try_to_write)
            self._proven_until = self._monotonic() + PROVEN_SECONDS

    async def prune(self, *, received_before: float, limit: int) -> int:
        """Forget up to `limit` of the oldest events; return how many: see `hub/bus/pruning.py`.

        An event goes if every group has committed it and it was received before this Unix time.
        For the file's owner, and to be called again until it returns less than `limit`.
        """
        await self.recover()
        return await pruning.prune(self._store, received_before=received_before, limit=limit)

    def _note(self, stored: int) -> None:
        self._proven_until = self._monotonic() + PROVEN_SECONDS
        self._settling.gather(stored)
        self._news.tell()


def _try_to_write(file: apsw.Connection) -> None:
    """Write as much as an event takes, and make room again."""
    file.execute("INSERT INTO append_checks VALUES (zeroblob(?))", (CHECK_BYTES,))
    file.execute("DELETE FROM append_checks")
