"""`Clock`: the whole seconds that Git, Kubernetes and Argo CD write, never the same one twice."""

from datetime import UTC, datetime, timedelta

_SECOND = timedelta(seconds=1)


class Clock:
    """Gives each named thing strictly later seconds.

    The world lives in milliseconds where the real one takes minutes. Two syncs of one application
    must still start in different seconds, as they always do in life, so a clock may run ahead.
    """

    def __init__(self) -> None:
        self._last: dict[str, datetime] = {}

    def now(self) -> datetime:
        """Return the present second, UTC."""
        return datetime.now(UTC).replace(microsecond=0)

    def tick(self, name: str) -> datetime:
        """Return a UTC time in whole seconds that is later than the last one given to `name`."""
        last = self._last.get(name)
        tick = self.now() if last is None else max(self.now(), last + _SECOND)
        self._last[name] = tick
        return tick

    def later(self, name: str) -> datetime:
        """Return the present second, or the last one given to `name` where that is ahead."""
        later = max(self.now(), self._last.get(name, self.now()))
        self._last[name] = later
        return later


def rfc3339(moment: datetime) -> str:
    """Write a time as Kubernetes and GitHub do: `2026-01-31T09:30:00Z`."""
    return moment.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
