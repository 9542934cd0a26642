"""How often and how soon to try again, as a value."""

import random
from dataclasses import dataclass


@dataclass(frozen=True, slots=True, kw_only=True)
class RetryPolicy:
    """Exponential back-off with full jitter.

    Full jitter, because a sink that comes back is not to be met by everybody at once:
    https://aws.amazon.com/blogs/architecture/exponential-backoff-and-jitter/.
    """

    attempts: int = 40
    """With the other defaults a run is tried for about 15 hours before it is a dead letter."""
    base_seconds: float = 1.0
    cap_seconds: float = 3600.0

    def delay(self, attempt: int, *, after: float | None, chance: random.Random) -> float | None:
        """Seconds to wait after failed attempt number `attempt`, or None when it was the last.

        Where the other side said how long to leave it alone (`after`), that is the least.
        """
        if attempt >= self.attempts:
            return None
        ceiling = min(self.cap_seconds, self.base_seconds * 2.0 ** min(attempt - 1, 60))
        return max(after or 0.0, chance.uniform(0.0, ceiling))
