"""Appends what was seen to the log, and goes on until it is there."""

from collections import Counter
from collections.abc import Sequence

import structlog

from hub.bus.interface import Bus, Conflict, Receipt, Stored
from hub.dispatch.pausing import pause
from hub.errors import Refused, StorageError
from hub.events.envelope import Envelope

_log = structlog.get_logger()


class Telling:
    """Appends events. What a notification or an earlier look has brought to the log stands."""

    def __init__(self, bus: Bus) -> None:
        self._bus = bus

    async def tell(self, events: Sequence[Envelope]) -> int:
        """Append the events, and return how many of them were new."""
        while events:
            try:
                receipts = await self._bus.append(events)
            except StorageError as error:
                await pause("watching_paused", error)
            except Refused as error:
                return await self._tell_each(events, error)
            else:
                told = sum(isinstance(one, Stored) for one in receipts)
                return told + sum([await self.tell([one]) for one in _kept_out(events, receipts)])
        return 0

    async def _tell_each(self, events: Sequence[Envelope], error: Refused) -> int:
        if len(events) > 1:
            return sum([await self.tell([event]) for event in events])
        _log.error("event_not_stored", source=events[0].source, reason=str(error))
        return 0


def _kept_out(events: Sequence[Envelope], receipts: Sequence[Receipt]) -> list[Envelope]:
    """Return those that a Conflict has kept out, and the one whose Conflict that is.

    They are answered with the same one; each of the other Conflicts is of its own event.
    """
    places = Counter(one.position for one in receipts if isinstance(one, Conflict))
    return [
        event
        for event, one in zip(events, receipts, strict=True)
        if isinstance(one, Conflict) and places[one.position] > 1
    ]
