"""Appends what was seen to the log, and goes on until it is there."""

from collections.abc import Sequence

import structlog

from hub.bus.interface import Bus, Conflict, Stored
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
        left = list(events)
        while left:
            try:
                receipts = await self._bus.append(left)
            except StorageError as error:
                await pause("watching_paused", error)
            except Refused as error:
                return await self._tell_each(left, error)
            else:
                # One that is known with another body leaves all of them out.
                known = [isinstance(receipt, Conflict) for receipt in receipts]
                if not any(known):
                    return sum(isinstance(receipt, Stored) for receipt in receipts)
                left = [event for event, is_known in zip(left, known, strict=True) if not is_known]
        return 0

    async def _tell_each(self, events: Sequence[Envelope], error: Refused) -> int:
        if len(events) > 1:
            return sum([await self.tell([event]) for event in events])
        _log.error("event_not_stored", source=events[0].source, reason=str(error))
        return 0
