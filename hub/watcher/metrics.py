"""What the watcher counts; `hub/telemetry/metrics.py` satisfies it."""

from typing import Protocol


class WatcherMetrics(Protocol):
    """Where the watcher says how it goes. Kinds are `plural.group`, or `plural.group/namespace`."""

    def leading(self, *, is_leading: bool) -> None:
        """Say whether this process, which may watch, is the one that does."""

    def watched(self, *, kind: str, wall: float) -> None:
        """Note that the API server has to say something of a kind from this Unix time on."""

    def left(self, *, kind: str) -> None:
        """Note that nothing is to be said of a kind any more."""

    def heard(self, *, kind: str, wall: float, objects: int) -> None:
        """Note that the API server has said something of a kind at this Unix time."""

    def told(self, *, kind: str, events: int) -> None:
        """Count events that were new to the log."""

    def unreadable(self, *, kind: str) -> None:
        """Count an object that could not be read."""

    def interrupted(self, *, kind: str, why: str) -> None:
        """Count a list or a watch that came to nothing: `expired`, `failed` or `refused`."""
