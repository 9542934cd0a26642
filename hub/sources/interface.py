"""What every source answers."""

from collections.abc import Mapping
from dataclasses import dataclass

from hub.events.envelope import Envelope

Headers = Mapping[str, str]
"""HTTP headers with lower-case names. A header that came twice never gets this far."""


@dataclass(frozen=True, slots=True)
class Ignored:
    """Authentic, but of no interest; the reason is told to the sender."""

    reason: str
    status: int = 202


Taken = tuple[Envelope, ...] | Ignored
"""What a source makes of a request: the events in it (several only in a batch), or none and why.
It raises `hub.errors.Refused` for what cannot be taken."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Sighting:
    """An object of Kubernetes, as the hub's watcher saw it."""

    cluster: str
    """What the settings call the cluster."""
    group: str
    version: str
    plural: str
    kind: str
    body: bytes
    """The object, as the API server wrote it."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Overdue:
    """An object is not as it should be, and is to be told of where it stays so for too long."""

    trouble: str
    """What is wrong with it: another trouble is another matter."""
    since: float
    """Unix time, as far as the object says: while a trouble lasts, conditions may be dated anew."""
    event: Envelope


@dataclass(frozen=True, slots=True, kw_only=True)
class Seen:
    """What a source makes of an object: the same for the same state, whoever looks and when.

    A source's function `Sighting -> Seen` raises `hub.errors.Malformed` for what cannot be read.
    """

    uid: str
    """Kubernetes' own: an object that was deleted and created anew is another one."""
    events: tuple[Envelope, ...]
    """What its state says, in the order in which it came about, each with its time."""
    overdue: Overdue | None = None
    """None where it is as it should be."""
    gone: Envelope | None = None
    """What to say once it is deleted; None where that means nothing to anybody."""
