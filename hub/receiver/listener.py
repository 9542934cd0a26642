"""A listening port: opens it, caps its connections, and lets requests finish when it closes."""

import asyncio
import os
import socket
from collections.abc import Awaitable, Callable

from aiohttp.web import BaseRequest, Response, Server

from hub.errors import SettingsError
from hub.receiver.connection import Connection
from hub.receiver.limits import Limits
from hub.receiver.metrics import Mishap

Answer = Callable[[BaseRequest], Awaitable[Response]]
"""Answers one request. Has to turn every failure into a response itself."""

_CLOSE_SECONDS = 1.0
"""For the last answers to be written, once nothing is in flight."""

_LAST_TURNS = 5
"""Turns of the loop in which a request that the kernel has already received becomes one of ours."""


class Listener:
    """One port and its open connections."""

    def __init__(
        self,
        *,
        host: str,
        port: int,
        answer: Answer,
        limits: Limits,
        on_mishap: Callable[[Mishap], None],
    ) -> None:
        self.limits = limits
        self._host = host
        self._port = port
        self._answer = answer
        self._on_mishap = on_mishap
        self._connections = 0
        self._in_flight = 0
        self._drained: asyncio.Event | None = None
        self._server: Server | None = None
        self._sockets: asyncio.Server | None = None

    async def start(self) -> int:
        """Listen, and return the port. Raises SettingsError where the address cannot be had."""
        loop = asyncio.get_running_loop()
        server = Server(self._serve)
        try:
            self._sockets = await loop.create_server(
                lambda: Connection(server, port=self, loop=loop),
                self._host,
                self._port,
                backlog=self.limits.backlog,
            )
        except OSError as error:
            problem = f"cannot listen on {self._host} port {self._port}: {_reason(error)}"
            raise SettingsError([problem]) from error
        self._server = server
        port: int = self._sockets.sockets[0].getsockname()[1]
        return port

    async def stop(self) -> None:
        """Accept nothing more, let what is in flight finish within `drain_seconds`, and close."""
        if self._sockets is None or self._server is None:
            return
        self._sockets.close()
        await self._drain()
        self._server.pre_shutdown()
        await self._server.shutdown(_CLOSE_SECONDS)
        self._sockets = self._server = None

    def admit(self) -> bool:
        """Say whether one more connection may stay open, and count it if so."""
        if self._connections >= self.limits.connections:
            self._on_mishap(Mishap.FULL)
            return False
        self._connections += 1
        return True

    def leave(self) -> None:
        """Count an admitted connection out."""
        self._connections -= 1

    def cut(self, reason: Mishap) -> None:
        """Pass a mishap on."""
        self._on_mishap(reason)

    async def _serve(self, request: BaseRequest) -> Response:
        self._in_flight += 1
        try:
            response = await self._answer(request)
        finally:
            self._in_flight -= 1
            if self._drained is not None and not self._in_flight:
                self._drained.set()
        if self._drained is not None:
            response.force_close()
        return response

    async def _drain(self) -> None:
        self._drained = asyncio.Event()
        for _ in range(_LAST_TURNS):
            await asyncio.sleep(0)
        if not self._in_flight:
            return
        try:
            async with asyncio.timeout(self.limits.drain_seconds):
                await self._drained.wait()
        except TimeoutError:
            # What is still in flight was not answered with 202, so its sender keeps it.
            return


def _reason(error: OSError) -> str:
    """Return the system's words: asyncio's say the address once more."""
    if isinstance(error, socket.gaierror) or error.errno is None:
        return error.strerror or str(error)
    return os.strerror(error.errno)
