"""The clocks of the hub: it asks these, and nobody else, what time it is."""

import time
from collections.abc import Callable
from dataclasses import dataclass

wall_clock: Callable[[], float] = time.time
"""Unix time, in seconds."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Clocks:
    """Both clocks of a process. A test that does not wait an hour moves them on together."""

    wall: Callable[[], float] = wall_clock
    """Unix time, in seconds; it may be set back."""
    monotonic: Callable[[], float] = time.monotonic
    """Seconds since some moment; it only goes on."""


SYSTEM_CLOCKS = Clocks()
"""Those of the machine."""
