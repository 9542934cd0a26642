"""Step 6 to 7: from an action to whoever performs it, within its time."""

import asyncio
from typing import TypeVar

from hub.actions.action import Action, Call, Performers
from hub.errors import TemporaryError

R = TypeVar("R")


async def perform(performers: Performers, action: Action[R], call: Call) -> R:
    """Perform an action. Raises TemporaryError where it takes longer than it may."""
    try:
        async with asyncio.timeout(action.timeout_seconds):
            result: R = await performers[type(action)](action, call)
    except TimeoutError as error:
        raise TemporaryError(
            f"{action.name} took longer than {action.timeout_seconds:g} seconds"
        ) from error
    return result
