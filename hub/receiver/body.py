"""Bodies, read under a cap, a deadline and a budget that all requests share."""

import asyncio

from aiohttp import StreamReader
from aiohttp.web import RequestPayloadError

from hub.receiver.refusals import BrokenBody, Overloaded, TooLarge, TooSlow

_FREE_JOIN_BYTES = 1024 * 1024
"""Beyond this, `bytes.join` copies without holding the interpreter, so others can go on."""


class Budget:
    """Bytes that bodies may hold in memory together."""

    def __init__(self, octets: int) -> None:
        self._left = octets

    def lend(self, octets: int) -> None:
        """Take that many, or raise Overloaded and take none."""
        if octets > self._left:
            raise Overloaded("too many bodies are on their way; send it again later")
        self._left -= octets

    def take_back(self, octets: int) -> None:
        """Undo `lend`."""
        self._left += octets


class Share:
    """What one body holds of the budget, until its request is answered."""

    __slots__ = ("_budget", "held")

    def __init__(self, budget: Budget) -> None:
        self._budget = budget
        self.held = 0

    def grow(self, octets: int, *, cap: int) -> None:
        """Hold more. Raises Overloaded, or TooLarge beyond `cap`."""
        if self.held + octets > cap:
            raise TooLarge(f"the body is larger than {cap} bytes")
        self._budget.lend(octets)
        self.held += octets

    def release(self) -> None:
        """Hold nothing any more."""
        self._budget.take_back(self.held)
        self.held = 0


async def read_body(stream: StreamReader, *, cap: int, share: Share, seconds: float) -> bytes:
    """Return the whole body, which `share` holds from now on.

    Raises TooLarge, TooSlow, Overloaded or BrokenBody. Bytes count as they come: a length that was
    only announced holds nothing.
    """
    try:
        if stream.is_eof():
            # Nearly every webhook is here whole by now, and needs no timer.
            body = stream.read_nowait(-1)
            share.grow(len(body), cap=cap)
            return body
        async with asyncio.timeout(seconds):
            return await _gather(stream, cap=cap, share=share)
    except TimeoutError as error:
        raise TooSlow(f"the body took longer than {seconds:g} seconds") from error
    except (OSError, RequestPayloadError) as error:
        raise BrokenBody("the body ended early or is framed wrongly") from error


async def _gather(stream: StreamReader, *, cap: int, share: Share) -> bytes:
    chunks = []
    while chunk := await stream.readany():
        share.grow(len(chunk), cap=cap)
        chunks.append(chunk)
    if share.held > _FREE_JOIN_BYTES:
        return await asyncio.to_thread(b"".join, chunks)
    return b"".join(chunks)
