"""What a loop of dispatch does while the log or the journal cannot be used."""

import asyncio

import structlog

from hub.errors import StorageError

STORAGE_PAUSE_SECONDS = 1.0
"""Before trying a full or broken disk again."""

_log = structlog.get_logger()


async def pause(event: str, error: StorageError) -> None:
    """Say what stands still and why, and wait a while."""
    _log.error(event, error=str(error))
    await asyncio.sleep(STORAGE_PAUSE_SECONDS)
