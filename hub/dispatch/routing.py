"""Which handlers want an event, and which do not and why. Pure."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from hub.dispatch.handler import Handler
from hub.errors import Malformed
from hub.events.envelope import Envelope
from hub.events.view import View


@dataclass(frozen=True, slots=True)
class Wanted:
    """The handler wants the event; its run goes into this lane."""

    lane: str


@dataclass(frozen=True, slots=True)
class NotWanted:
    """The handler does not want it, for this reason."""

    reason: str


@dataclass(frozen=True, slots=True)
class Unreadable:
    """The handler is for such events, but cannot read this one."""

    lane: str
    error: str


Decision = Wanted | NotWanted | Unreadable


def decide(handlers: Iterable[Handler], envelope: Envelope) -> Sequence[tuple[Handler, Decision]]:
    """Say for every handler whether it wants the event. Each view is read once."""
    readings: dict[type[View], View | Malformed] = {}
    return [(handler, _decide(handler, envelope, readings)) for handler in handlers]


def _decide(
    handler: Handler, envelope: Envelope, readings: dict[type[View], View | Malformed]
) -> Decision:
    view = handler.view_of(envelope.type)
    if view is None:
        return NotWanted("it is for other types of events")
    if view not in readings:
        readings[view] = _read(view, envelope)
    reading = readings[view]
    default_lane = f"{handler.name}/{envelope.partitionkey}"
    if isinstance(reading, Malformed):
        return Unreadable(default_lane, str(reading))
    try:
        if handler.when is not None and not handler.when(reading):
            return NotWanted("its condition (`when`) does not hold")
        lane = f"{handler.name}/{handler.lane(reading)}" if handler.lane else default_lane
    except BaseException as error:  # noqa: BLE001 - a condition is a handler's own code
        return Unreadable(default_lane, f"its condition failed: {type(error).__name__}: {error}")
    return Wanted(lane)


def _read(view: type[View], envelope: Envelope) -> View | Malformed:
    try:
        return view.read(envelope)
    except Malformed as error:
        return error
    except Exception as error:  # noqa: BLE001 - a view is a handler's own code
        return Malformed(f"{view.__name__} failed: {type(error).__name__}: {error}")
