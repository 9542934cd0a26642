"""The one place that builds objects and passes them to each other. It decides nothing."""

from hub.wiring.clock import Clocks, wall_clock
from hub.wiring.hub import Hub
from hub.wiring.installed import installed_handlers, platform_of
from hub.wiring.outside import open_secrets, outside, reading_performers

__all__ = [
    "Clocks",
    "Hub",
    "installed_handlers",
    "open_secrets",
    "outside",
    "platform_of",
    "reading_performers",
    "wall_clock",
]
