"""Which events are waited for, in memory: every event asks, and hardly any is."""

from collections import Counter
from collections.abc import Iterable

Awaited = tuple[str, str]
"""An event's type and subject."""


class Waits:
    """How many runs wait for each event.

    It may count one too many, which costs a look at the file, but never one too few. So a wait is
    added before it is written, and removed only by whoever has deleted it from the file.
    """

    def __init__(self) -> None:
        self._counts: Counter[Awaited] = Counter()

    def __contains__(self, awaited: Awaited) -> bool:
        return awaited in self._counts

    def add(self, waits: Iterable[Awaited]) -> None:
        """Count waits that are written, or are about to be."""
        self._counts.update(waits)

    def remove(self, awaited: Awaited, number: int = 1) -> None:
        """Count `number` waits less."""
        self._counts[awaited] -= number
        if self._counts[awaited] <= 0:
            del self._counts[awaited]
