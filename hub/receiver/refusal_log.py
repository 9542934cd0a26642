"""One log line for a refusal, but not for a flood of them: strangers must not fill the disk."""

from collections.abc import Callable

from structlog.typing import FilteringBoundLogger

_LINES_PER_SECOND = 10
"""Enough to see what is going on; the metrics count every one."""


class RefusalLog:
    """Writes at most `_LINES_PER_SECOND`, and says how many it left out."""

    def __init__(self, log: FilteringBoundLogger, *, monotonic: Callable[[], float]) -> None:
        self._log = log
        self._monotonic = monotonic
        self._second = float("-inf")
        self._written = 0
        self._left_out = 0

    def write(self, *, door: str, status: int, reason: str, peer: str | None) -> None:
        """Log a refusal. `reason` is for the owner and may say more than the answer did."""
        now = self._monotonic()
        if now - self._second >= 1:
            self._second, self._written = now, 0
        if self._written >= _LINES_PER_SECOND:
            self._left_out += 1
            return
        left_out, self._left_out = self._left_out, 0
        self._written += 1
        self._log.warning(
            "request_refused", door=door, status=status, reason=reason, peer=peer, left_out=left_out
        )
