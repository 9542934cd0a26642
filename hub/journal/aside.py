"""Where bodies are packed and unpacked: at once, or beside the event loop where they are large."""

import asyncio
from collections.abc import Callable
from typing import TypeVar

T = TypeVar("T")

_INLINE_BYTES = 256 * 1024
"""Bodies up to this take less than a millisecond to pack; larger ones leave the event loop."""


async def aside(size: int, work: Callable[[], T]) -> T:
    """Do work on `size` bytes where it does not hold up the event loop."""
    return work() if size <= _INLINE_BYTES else await asyncio.to_thread(work)
