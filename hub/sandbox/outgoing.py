"""`Outgoing`: the way out over HTTP of a part of the world that tells the hub of something."""

from contextlib import AbstractAsyncContextManager

import aiohttp

ANSWER_SECONDS = 10.0
"""How long an answer is waited for: as GitHub does."""


class Outgoing:
    """One session, from the part's start to its stop."""

    def __init__(self) -> None:
        self._session: aiohttp.ClientSession | None = None

    async def start(self) -> None:
        """Be ready to send."""
        timeout = aiohttp.ClientTimeout(total=ANSWER_SECONDS)
        self._session = aiohttp.ClientSession(timeout=timeout)

    async def stop(self) -> None:
        """Close every connection."""
        if self._session is not None:
            await self._session.close()

    def post(
        self, url: str, *, data: bytes, headers: dict[str, str]
    ) -> AbstractAsyncContextManager[aiohttp.ClientResponse]:
        """Post once; the context is the answer. Raises aiohttp's errors and TimeoutError."""
        if self._session is None:
            raise RuntimeError("the world has not been started")
        return self._session.post(url, data=data, headers=headers)
