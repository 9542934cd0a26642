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
