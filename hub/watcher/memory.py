"""What has been told of the objects of one kind, so that only what is new is told. Pure.

It holds an object's name, the ids of its events, and what is to be said once it is deleted or has
been waiting for too long; never the object. Ten thousand of them take some 20 MB.
"""

from collections.abc import Collection, Iterator
from dataclasses import dataclass, replace

from hub.events.envelope import Envelope
from hub.events.kubernetes import unix_time
from hub.sources.interface import Overdue, Seen


@dataclass(frozen=True, slots=True, kw_only=True)
class _Known:
    uid: str
    told: frozenset[str]
    overdue: Overdue | None
    is_warned_of: bool
    """Whether it has been told that it is overdue."""
    gone: Envelope | None


class Memory:
    """The objects of one kind as they were told of last, by names that its caller chooses."""

    def __init__(self, *, stuck_seconds: float, oldest_seconds: float) -> None:
        """`stuck_seconds` is how long an object may be overdue before it is told of.

        What happened longer than `oldest_seconds` ago is not told: the log may have known it and
        forgotten it since.
        """
        self._stuck_seconds = stuck_seconds
        self._oldest_seconds = oldest_seconds
        self._known: dict[str, _Known] = {}

    def __len__(self) -> int:
        return len(self._known)

    def news(self, name: str, seen: Seen, *, wall: float) -> Iterator[Envelope]:
        """Yield what is to be told of an object before it is kept; `wall` is Unix time."""
        known = self._known.get(name)
        told = frozenset[str]()
        if known is not None and known.uid == seen.uid:
            told = known.told
        elif known is not None and known.gone is not None:
            yield known.gone
        for event in seen.events:
            if event.id not in told and not self._is_old(event, wall):
                yield event

    def keep(self, name: str, seen: Seen) -> None:
        """Note that all that an object says has been told."""
        overdue = seen.overdue
        before = self._same_trouble(name, seen)
        if overdue and before:
            overdue = replace(overdue, since=min(overdue.since, before.since))
        self._known[name] = _Known(
            uid=seen.uid,
            told=frozenset(event.id for event in seen.events),
            overdue=overdue,
            is_warned_of=before is not None and self._known[name].is_warned_of,
            gone=seen.gone,
        )

    def _same_trouble(self, name: str, seen: Seen) -> Overdue | None:
        """Return what the object was overdue for before, where it has been so ever since.

        Crossplane dates a condition anew whenever its message changes, which may be every minute.
        """
        known = self._known.get(name)
        if not (known and known.uid == seen.uid and known.overdue and seen.overdue):
            return None
        return known.overdue if known.overdue.trouble == seen.overdue.trouble else None

    def farewell(self, name: str) -> Iterator[Envelope]:
        """Yield what is to be told of an object that was deleted, before it is forgotten."""
        known = self._known.get(name)
        if known is not None and known.gone is not None:
            yield known.gone

    def forget(self, name: str) -> None:
        """Note that the deletion of an object has been told."""
        self._known.pop(name, None)

    def missing(self, present: Collection[str]) -> tuple[str, ...]:
        """Return the names of those that are known and not among these: they were deleted."""
        return tuple(name for name in self._known if name not in present)

    def overdue(self, *, wall: float) -> Iterator[tuple[str, Overdue]]:
        """Yield what has waited for too long and was not told of, each with its name.

        Each is looked at when it is asked for: time passes while those before it are told of.
        """
        for name in tuple(self._known):
            known = self._known.get(name)
            if (
                known
                and known.overdue
                and not known.is_warned_of
                and known.overdue.since + self._stuck_seconds <= wall
            ):
                yield name, known.overdue

    def keep_warned(self, name: str, overdue: Overdue) -> None:
        """Note that an object's being overdue has been told, unless that is over by now."""
        known = self._known.get(name)
        if known and known.overdue and known.overdue.since == overdue.since:
            self._known[name] = replace(known, is_warned_of=True)

    def _is_old(self, event: Envelope, wall: float) -> bool:
        at = unix_time(event.time or "")
        return at is not None and at + self._oldest_seconds < wall
