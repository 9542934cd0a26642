"""How much is still to be done, as of a moment ago."""

from collections.abc import Mapping

from hub.bus.interface import Subscription
from hub.journal.interface import Journal


class BacklogView:
    """A snapshot that is read without waiting, for metrics."""

    def __init__(self, *, journal: Journal, subscription: Subscription) -> None:
        self._journal = journal
        self._subscription = subscription
        self._runs: Mapping[str, int] = {}
        self._lag: int | None = None

    async def refresh(self) -> None:
        """Take a new snapshot. Raises StorageError."""
        self._runs = {str(state): count for state, count in (await self._journal.counts()).items()}
        self._lag = await self._subscription.lag()

    def runs(self) -> Mapping[str, int]:
        """Return how many runs stand in each state."""
        return self._runs

    def lag(self) -> int | None:
        """Return how many events are not routed yet; None before the first snapshot."""
        return self._lag
