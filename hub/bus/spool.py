"""A log on this machine's disk that stands in while the log elsewhere cannot be reached.

From the first append that fails, all events go to the spool, and from there to the log in the order
they came, until the spool is empty: so events with one key keep their order across the outage.
"""

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from contextlib import AbstractAsyncContextManager
from functools import partial
from typing import Protocol

import structlog

from hub.bus.interface import Bus, Conflict, Position, Receipt, Record, Subscription
from hub.errors import StorageError, TooLargeToStore
from hub.events.envelope import Envelope

BATCH = 200
"""Events moved in one go."""

PAUSE_SECONDS = 1.0
"""Between two tries to reach the log: it is back soon after its brokers are."""

_GROUP = "drain"

_log = structlog.get_logger()


class Spool(Bus, Protocol):
    """The log on the disk, which lets go of what was moved."""

    async def prune(self, *, received_before: float, limit: int) -> int:
        """Forget up to `limit` events that were committed; return how many."""
        ...


class SpooledBus:
    """The log `bus`, with the log `spool` in front of it. `run` moves what was spooled."""

    def __init__(
        self,
        *,
        bus: Bus,
        spool: Spool,
        clock: Callable[[], float],
        sleep: Callable[[float], Awaitable[None]] = asyncio.sleep,
    ) -> None:
        """`clock` gives Unix time; `sleep` waits so many seconds."""
        self._bus = bus
        self._spool = spool
        self._clock = clock
        self._sleep = sleep
        self._spooling = True
        self._in_flight = 0
        self._idle = asyncio.Event()
        self._idle.set()
        self._open = asyncio.Event()
        self._open.set()

    @property
    def spooling(self) -> bool:
        """Whether events go to the spool now."""
        return self._spooling

    async def append(self, events: Sequence[Envelope]) -> Sequence[Receipt]:
        """See Bus.append. Raises StorageError where neither log can be written."""
        await self._open.wait()
        if not self._spooling:
            try:
                return await self._bus.append(events)
            except StorageError as error:
                self._begin_to_spool(error)
                await self._open.wait()
        self._in_flight += 1
        self._idle.clear()
        try:
            return await self._spool.append(events)
        finally:
            self._in_flight -= 1
            if not self._in_flight:
                self._idle.set()

    def _begin_to_spool(self, error: StorageError) -> None:
        if not self._spooling:
            self._spooling = True
            _log.warning("spool_opened", why=str(error))

    async def run(self) -> None:
        """Move events from the spool to the log, until cancelled."""
        async with self._spool.subscribe(_GROUP) as spooled:
            records = await self._close(spooled)
            while True:
                records = records or await spooled.poll(BATCH)
                await self._surely(partial(self._move, records))
                await self._surely(partial(self._let_go, spooled, records))
                records = await self._close(spooled)

    async def _close(self, spooled: Subscription) -> Sequence[Record]:
        """Stop to spool, where little is left to move; return what could not be moved yet.

        Whoever appends waits meanwhile, or the spool would never be empty under a steady load.
        """
        records: Sequence[Record] = ()
        if not self._spooling or await spooled.lag() > BATCH:
            return records
        self._open.clear()
        try:
            await self._idle.wait()
            while await spooled.lag():
                records = await spooled.poll(BATCH)
                await self._move(records)
                await self._let_go(spooled, records)
            records = ()
            self._spooling = False
            _log.info("spool_closed")
        except StorageError as error:
            _log.warning("spool_waits", why=str(error))
        finally:
            self._open.set()
        return records

    async def _surely(self, work: Callable[[], Awaitable[None]]) -> None:
        told = False
        while True:
            try:
                await work()
            except StorageError as error:
                if not told:
                    _log.warning("spool_waits", why=str(error))
                    told = True
                await self._sleep(PAUSE_SECONDS)
            else:
                return

    async def _move(self, records: Sequence[Record]) -> None:
        try:
            receipts = await self._bus.append([record.envelope for record in records])
            left_out = any(isinstance(receipt, Conflict) for receipt in receipts)
        except TooLargeToStore:
            left_out = True
        if left_out:
            for record in records:
                await self._move_alone(record)

    async def _move_alone(self, record: Record) -> None:
        """Move one event. One that the log will never take is told of, and holds up no other."""
        try:
            (receipt,) = await self._bus.append([record.envelope])
        except TooLargeToStore as error:
            why = str(error)
        else:
            if not isinstance(receipt, Conflict):
                return
            why = "its id is taken by another body, which came first"
        _log.error(
            "spooled_event_left_out",
            event_id=record.envelope.id,
            event_type=record.envelope.type,
            why=why,
        )

    async def _let_go(self, spooled: Subscription, records: Sequence[Record]) -> None:
        await spooled.commit(records)
        while await self._spool.prune(received_before=self._clock(), limit=BATCH) == BATCH:
            pass

    def subscribe(self, group: str) -> AbstractAsyncContextManager[Subscription]:
        """See Bus.subscribe. What is spooled comes once it has been moved."""
        return self._bus.subscribe(group)

    async def find(self, event_id: str) -> Sequence[Record]:
        """See Bus.find."""
        return await self._bus.find(event_id)

    async def read(self, *, after: Position | None, limit: int) -> Sequence[Record]:
        """See Bus.read."""
        return await self._bus.read(after=after, limit=limit)

    async def recent(self, limit: int) -> Sequence[Record]:
        """See Bus.recent."""
        return await self._bus.recent(limit)

    async def check(self) -> None:
        """See Bus.check. It passes as long as one of the two logs can be written."""
        if not self._spooling:
            try:
                await self._bus.check()
            except StorageError:
                pass
            else:
                return
        await self._spool.check()
