"""The log in a SQLite file: the port of `hub/bus/interface.py` around the jobs beside it.

An append is one job of the store, and whatever arrives together is one commit. Bodies lie packed
(`hub/bus/bodies.py`); which events are known already is told by `hub/bus/dedupe.py`.
"""

import asyncio
import time
from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from contextlib import asynccontextmanager
from functools import partial

import apsw

from hub.bus import dedupe
from hub.bus.appending import AlreadyKnown, Appender, Entry, refuse_known
from hub.bus.bodies import PLAIN_BYTES, LargeBodies
from hub.bus.interface import Conflict, Duplicate, Position, Receipt, Record, Stored
from hub.bus.reading import Reading, seq_of
from hub.bus.settling import Settling
from hub.bus.subscription import News, SqliteSubscription
from hub.errors import Conflicting, Malformed
from hub.events.envelope import Envelope
from hub.sqlite import Store

CHECK_BYTES = 64 * 1024
"""What `check` tries to write: more than nearly every event takes."""

PROVEN_SECONDS = 1.0
"""How long a success speaks for the next append, so that `check` may be asked often."""


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
        self._clock = clock
        self._monotonic = monotonic
        self._appender = Appender()
        self._bodies = LargeBodies(store=store)
        self._reading = Reading(store=store)
        self._settling = Settling(store=store)
        self._news = News()
        self._recovering = asyncio.Lock()
        self._recovered = False
        self._proven_until = float("-inf")

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
        distinct = _distinct(events)
        try:
            receipts = await self._append_distinct(list(distinct.values()))
        except UnicodeEncodeError as error:
            raise Malformed("an attribute has characters that are no text") from error
        if len(distinct) == len(events):
            return receipts
        return _with_twins(events, dict(zip(distinct, receipts, strict=True)))

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
        """See Bus.check. Where no append has succeeded just now, it tries to write."""
        if self._monotonic() >= self._proven_until:
            await self._store.write(_try_to_write)
            self._proven_until = self._monotonic() + PROVEN_SECONDS

    async def _append_distinct(self, events: Sequence[Envelope]) -> Sequence[Receipt]:
        """Append the events that are not known, once it is clear that no known one differs."""
        receipts: dict[int, Receipt] = {}
        while fresh := [place for place in range(len(events)) if place not in receipts]:
            try:
                seqs = await self._write([events[place] for place in fresh])
            except AlreadyKnown as met:
                known = {fresh[nth]: seq for nth, seq in met.positions.items()}
                receipts |= await self._compared(events, known)
                if conflict := next(filter(_is_conflict, receipts.values()), None):
                    return [receipts.get(place, conflict) for place in range(len(events))]
            else:
                stored = (Stored(position=_position(seq)) for seq in seqs)
                receipts |= zip(fresh, stored, strict=True)
        return [receipts[place] for place in range(len(events))]

    async def _compared(
        self, events: Sequence[Envelope], known: Mapping[int, int]
    ) -> dict[int, Receipt]:
        receipts: dict[int, Receipt] = {}
        for place, seq in known.items():
            (first,) = await self._reading.after(seq - 1, 1)
            same = first.envelope.data == events[place].data
            receipts[place] = (Duplicate if same else Conflict)(position=first.position)
        return receipts

    async def _write(self, events: Sequence[Envelope]) -> Sequence[int]:
        now = self._clock()
        if all(len(event.data) <= PLAIN_BYTES for event in events):
            return await self._commit([Entry(envelope=event, received_at=now) for event in events])
        # Asked first, for a large body is written before its event, and in vain if that is known.
        await self._store.write(partial(refuse_known, events))
        async with self._bodies.written_ahead([event.data for event in events]) as bodies:
            return await self._commit(
                [
                    Entry(envelope=event, received_at=now, packed=packed)
                    for event, packed in zip(events, bodies, strict=True)
                ]
            )

    async def _commit(self, entries: Sequence[Entry]) -> Sequence[int]:
        size = sum(len(entry.envelope.data) for entry in entries if entry.packed is None)
        seqs = await self._store.write(partial(self._appender.append, entries), size=size)
        self._proven_until = self._monotonic() + PROVEN_SECONDS
        self._settling.gather(len(seqs))
        self._news.tell()
        return seqs


def _distinct(events: Sequence[Envelope]) -> dict[tuple[str, str], Envelope]:
    """Return the events by their name, each once."""
    distinct: dict[tuple[str, str], Envelope] = {}
    for event in events:
        first = distinct.setdefault((event.source, event.id), event)
        if first.data != event.data:
            raise Conflicting("two events of the sequence have one id and different bodies")
    return distinct


def _with_twins(
    events: Sequence[Envelope], receipts: Mapping[tuple[str, str], Receipt]
) -> Sequence[Receipt]:
    """Return a receipt for every event: one that came twice is a duplicate the second time."""
    answered: set[tuple[str, str]] = set()
    answers: list[Receipt] = []
    for event in events:
        name = (event.source, event.id)
        receipt = receipts[name]
        if name in answered and isinstance(receipt, Stored):
            receipt = Duplicate(position=receipt.position)
        answered.add(name)
        answers.append(receipt)
    return answers


def _is_conflict(receipt: Receipt) -> bool:
    return isinstance(receipt, Conflict)


def _position(seq: int) -> Position:
    return Position(str(seq))


def _try_to_write(file: apsw.Connection) -> None:
    """Write as much as an event takes, and make room again."""
    file.execute("INSERT INTO append_checks VALUES (zeroblob(?))", (CHECK_BYTES,))
    file.execute("DELETE FROM append_checks")
