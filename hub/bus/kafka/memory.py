"""What this process has appended lately, so that it knows an event that comes again.

Kafka has no index to ask. A sender repeats itself within minutes; what comes later, or to another
process, is stored once more, and the journal makes one run of it.
"""

import asyncio
import hashlib
from collections.abc import Sequence
from dataclasses import dataclass

from hub.bus.interface import Position
from hub.events.envelope import Envelope

REMEMBERED_EVENTS = 100_000
"""At 100 events a second the last quarter of an hour; about 30 MB."""

_DIGEST_BYTES = 16
_QUICK_BYTES = 256 * 1024
"""Bodies up to this are digested in less than a third of a millisecond."""


@dataclass(frozen=True, slots=True)
class Known:
    """An event on the log."""

    body: bytes
    """A digest of its data."""
    position: Position


@dataclass(frozen=True, slots=True, kw_only=True)
class Asked:
    """An event that is to be appended, and the digests it is known by."""

    event: Envelope
    name: bytes
    body: bytes


async def asked(event: Envelope) -> Asked:
    """Digest an event; a large body off the event loop."""
    # What is no text is refused where the record is written, and not here.
    name = f"{len(event.source)} {event.source}{event.id}".encode(errors="surrogatepass")
    body = (
        _digest(event.data)
        if len(event.data) <= _QUICK_BYTES
        else await asyncio.to_thread(_digest, event.data)
    )
    return Asked(event=event, name=_digest(name), body=body)


class Memory:
    """The latest events, and those that are on their way now."""

    def __init__(self, *, most: int = REMEMBERED_EVENTS) -> None:
        self._half = most // 2
        self._new: dict[bytes, Known] = {}
        self._old: dict[bytes, Known] = {}
        self._under_way: dict[bytes, asyncio.Future[None]] = {}

    def known(self, name: bytes) -> Known | None:
        """Return what is known of an event."""
        return self._new.get(name) or self._old.get(name)

    def remember(self, name: bytes, known: Known) -> None:
        """Note that an event is on the log."""
        if len(self._new) >= self._half:
            # Half is forgotten at once: to forget one at a time costs more than it is worth.
            self._old, self._new = self._new, {}
        self._new[name] = known

    def under_way(self, events: Sequence[Asked]) -> list[asyncio.Future[None]]:
        """Return what will be done when those of the events that are on their way have arrived."""
        return [self._under_way[one.name] for one in events if one.name in self._under_way]

    def begin(self, events: Sequence[Asked]) -> None:
        """Note that events are on their way. None of them may be."""
        loop = asyncio.get_running_loop()
        self._under_way |= {one.name: loop.create_future() for one in events}

    def end(self, events: Sequence[Asked]) -> None:
        """Note that they have arrived, or will not."""
        for one in events:
            self._under_way.pop(one.name).set_result(None)


def _digest(data: bytes) -> bytes:
    return hashlib.blake2b(data, digest_size=_DIGEST_BYTES).digest()
