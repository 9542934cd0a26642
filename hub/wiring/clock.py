"""The one clock of the hub."""

import time
from collections.abc import Callable

wall_clock: Callable[[], float] = time.time
"""Unix time, in seconds."""
