"""Handlers with nothing to do, for measuring what lies around them."""

import asyncio

from hub.dispatch import Do, on
from hub.events.github import Push

WHILE_SECONDS = 0.05


@on(Push, lane=lambda push: push.after[:2])
async def note_arrival(push: Push, do: Do) -> None:
    """Do nothing."""


@on(Push, lane=lambda push: push.after)
async def take_a_while(_push: Push, _do: Do) -> None:
    """Wait for somebody else, as handlers mostly do."""
    await asyncio.sleep(WHILE_SECONDS)


HANDLERS = (note_arrival,)
