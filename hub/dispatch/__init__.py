"""Steps 4 and 5: which handlers want an event, and running them. Names no outside system.

A handler needs three names from here: `on`, `Do` and `Skipped`.
"""

from hub.dispatch.handler import Do, Handler, on
from hub.dispatch.outcome import Skipped

__all__ = ["Do", "Handler", "Skipped", "on"]
