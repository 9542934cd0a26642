"""From events to receipts: what is new is written, and what is known is compared.

All or none is the writer's promise for one job. So a sequence with known events in it is tried
once, undone, compared with what stands, and tried again without them.
"""

from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from functools import partial

from hub.bus.bodies import PLAIN_BYTES, LargeBodies, Packer
from hub.bus.inserting import AlreadyKnown, Entry, Insertion, refuse_known
from hub.bus.interface import Conflict, Duplicate, Receipt, Stored
from hub.bus.reading import Reading
from hub.bus.rows import position_of
from hub.bus.sequence import distinct, with_twins
from hub.events.envelope import Envelope
from hub.sqlite import Store


class Appending:
    """Appends sequences of events."""

    def __init__(
        self, *, store: Store, reading: Reading, bodies: LargeBodies, clock: Callable[[], float]
    ) -> None:
        self._store = store
        self._reading = reading
        self._bodies = bodies
        self._clock = clock
        self._packer = Packer()

    async def append(self, events: Sequence[Envelope]) -> Sequence[Receipt]:
        """See SqliteBus.append."""
        if len(events) == 1:
            # Nearly always, and nearly always new: the way to that answer is kept short.
            with suppress(AlreadyKnown):
                (seq,) = await self._write(events)
                return (Stored(position=position_of(seq)),)
        by_name = distinct(events)
        receipts = await self._append_distinct(list(by_name.values()))
        if len(by_name) == len(events):
            return receipts
        return with_twins(events, dict(zip(by_name, receipts, strict=True)))

    async def _append_distinct(self, events: Sequence[Envelope]) -> Sequence[Receipt]:
        receipts: dict[int, Receipt] = {}
        while fresh := [place for place in range(len(events)) if place not in receipts]:
            try:
                seqs = await self._write([events[place] for place in fresh])
            except AlreadyKnown as met:
                known = {fresh[nth]: seq for nth, seq in met.positions.items()}
                receipts |= await self._compared(events, known)
                conflicts = (one for one in receipts.values() if isinstance(one, Conflict))
                if conflict := next(conflicts, None):
                    return [receipts.get(place, conflict) for place in range(len(events))]
            else:
                stored = (Stored(position=position_of(seq)) for seq in seqs)
                receipts |= zip(fresh, stored, strict=True)
        return [receipts[place] for place in range(len(events))]

    async def _compared(
        self, events: Sequence[Envelope], known: Mapping[int, int]
    ) -> dict[int, Receipt]:
        receipts: dict[int, Receipt] = {}
        for place, seq in known.items():
            first = await self._reading.at(seq)
            if first is None:
                # It was forgotten since, so the next try finds it new.
                continue
            same = first.envelope.data == events[place].data
            receipts[place] = (Duplicate if same else Conflict)(position=first.position)
        return receipts

    async def _write(self, events: Sequence[Envelope]) -> Sequence[int]:
        now = self._clock()
        if max(map(_size, events)) <= PLAIN_BYTES:
            return await self._insert([Entry(envelope=event, received_at=now) for event in events])
        # Asked first, for a large body is written before its event, and in vain if that is known.
        await self._store.write(partial(refuse_known, events))
        async with self._bodies.written_ahead([event.data for event in events]) as bodies:
            return await self._insert(
                [
                    Entry(envelope=event, received_at=now, packed=packed)
                    for event, packed in zip(events, bodies, strict=True)
                ]
            )

    async def _insert(self, entries: Sequence[Entry]) -> Sequence[int]:
        size = sum([len(entry.envelope.data) for entry in entries if entry.packed is None])
        return await self._store.write(Insertion(entries, packer=self._packer), size=size)


def _size(event: Envelope) -> int:
    return len(event.data)
