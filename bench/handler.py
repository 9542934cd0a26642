"""A handler with nothing to do, for measuring what lies around it."""

from hub.dispatch import Do, on
from hub.events.github import Push


@on(Push, lane=lambda push: push.after[:2])
async def note_arrival(push: Push, do: Do) -> None:
    """Do nothing."""


HANDLERS = (note_arrival,)
