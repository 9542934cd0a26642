"""When something may be asked again: pauses that were ordered, and turns that are handed out.

Nothing waits here for long: what is not due yet raises TemporaryError with the seconds to go, so
that the run is put aside and others go on.
"""

import asyncio
from collections.abc import Awaitable, Callable

from hub.errors import TemporaryError

_SHORT_SECONDS = 2.0
"""A wait that is not worth a retry."""

_FORGOTTEN_AFTER_SECONDS = 600.0
"""How long a turn is kept for one that does not come back for it."""

Sleep = Callable[[float], Awaitable[object]]


class Pauses:
    """What is to be left alone until when, because the other side said so."""

    def __init__(self, *, monotonic: Callable[[], float]) -> None:
        self._monotonic = monotonic
        self._until: dict[str, float] = {}

    def begin(self, lane: str, seconds: float) -> None:
        """Leave `lane` alone for so long; a longer pause that runs already stays."""
        now = self._monotonic()
        self._until = {name: until for name, until in self._until.items() if until > now}
        self._until[lane] = max(now + seconds, self._until.get(lane, now))

    def check(self, lane: str) -> None:
        """Raise TemporaryError where a pause of this lane has not ended."""
        remaining = self._until.get(lane, 0.0) - self._monotonic()
        if remaining > 0:
            raise TemporaryError(f"{lane} asked to be left alone", after=remaining)


class Turns:
    """Hands out turns in each lane, so many seconds apart, first come first served."""

    def __init__(
        self,
        *,
        seconds: float,
        monotonic: Callable[[], float],
        sleep: Sleep = asyncio.sleep,
    ) -> None:
        self._seconds = seconds
        self._monotonic = monotonic
        self._sleep = sleep
        self._next: dict[str, float] = {}
        self._kept: dict[tuple[str, str], float] = {}

    async def wait(self, lane: str, key: str) -> None:
        """Return when it is this key's turn in this lane.

        Raises TemporaryError where that is more than a moment away; the turn is kept for the key
        until it comes again, so that nobody who waits is overtaken.
        """
        now = self._monotonic()
        at = self._kept.pop((lane, key), None)
        if at is None:
            at = max(now, self._next.get(lane, now))
            self._next[lane] = at + self._seconds
        if at - now > _SHORT_SECONDS:
            self._keep(lane, key, at)
            raise TemporaryError(f"{lane} gets one message at a time", after=at - now)
        if at > now:
            await self._sleep(at - now)

    def _keep(self, lane: str, key: str, at: float) -> None:
        oldest = self._monotonic() - _FORGOTTEN_AFTER_SECONDS
        for name in [name for name, turn in self._kept.items() if turn < oldest]:
            del self._kept[name]
        self._kept[lane, key] = at
