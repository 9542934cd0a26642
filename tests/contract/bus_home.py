"""What the log's suites share: a home for a log, and short ways to say things."""

import hashlib
from collections.abc import Iterable, Sequence
from typing import Protocol

from hub.bus.interface import Bus, Receipt, Record
from hub.events.envelope import Envelope

SOON = 5.0
"""Seconds after which something that ought to happen at once has not happened."""

MIB = 1024 * 1024

SOURCE = "https://api.github.com/repos/company/payments"


class Home(Protocol):
    """A log that outlives the process that uses it."""

    bus: Bus

    async def restart(self) -> None:
        """End the process that uses the log, and start another: `bus` is a new one."""
        ...


def event(name: str, data: bytes = b"{}", *, source: str = SOURCE) -> Envelope:
    return Envelope(
        id=name,
        source=source,
        type="com.github.push",
        partitionkey="company/payments",
        data=data,
    )


def noise(size: int) -> bytes:
    """Make a body that cannot be packed, the same each time."""
    return hashlib.shake_128(size.to_bytes(8, "big")).digest(size)


def names(records: Iterable[Record]) -> list[str]:
    return [record.envelope.id for record in records]


def kinds(receipts: Iterable[Receipt]) -> list[str]:
    return [type(receipt).__name__ for receipt in receipts]


async def everything(home: Home) -> Sequence[Record]:
    records: list[Record] = []
    while more := await home.bus.read(after=records[-1].position if records else None, limit=1000):
        records += more
    return records
