"""A TCP proxy on loopback, for tests that lose, cut and hold up connections to a server."""

import asyncio
import socket
import struct
from asyncio import StreamReader, StreamWriter
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress

from .process import HOST

_CHUNK_BYTES = 65_536
_RESET_ON_CLOSE = struct.pack("ii", 1, 0)


class Proxy:
    """Passes bytes both ways, until it is told otherwise."""

    def __init__(self, *, to_port: int) -> None:
        self.port = 0
        self._to_port = to_port
        self._accepting = True
        self._flowing = asyncio.Event()
        self._flowing.set()
        self._bytes_left: int | None = None
        self._open: dict[asyncio.Task[None], list[StreamWriter]] = {}

    @property
    def address(self) -> str:
        return f"{HOST}:{self.port}"

    @property
    def connections(self) -> int:
        """How many clients are connected."""
        return len(self._open)

    def cut(self) -> None:
        """Reset all connections, on both sides. New ones are taken."""
        self._bytes_left = None
        for task, writers in self._open.items():
            for writer in writers:
                reset(writer)
            task.cancel()

    def cut_after(self, bytes_from_server: int) -> None:
        """Let the servers say so many bytes more, over all connections; then `cut`.

        With 0, whatever is asked still reaches the server, and its answer is lost.
        """
        self._bytes_left = bytes_from_server

    def refuse(self) -> None:
        """Reset new connections at once. Those there are go on."""
        self._accepting = False

    def accept(self) -> None:
        self._accepting = True

    def hold(self) -> None:
        """Let no byte flow, either way; the connections stay."""
        self._flowing.clear()

    def release(self) -> None:
        self._flowing.set()

    def take(self, reader: StreamReader, writer: StreamWriter) -> None:
        """Take a new client, or turn it away."""
        if not self._accepting:
            reset(writer)
            return
        writers = [writer]
        task = asyncio.create_task(self._connect(reader, writers))
        self._open[task] = writers
        task.add_done_callback(self._open.pop)

    async def close(self) -> None:
        tasks = list(self._open)
        self.cut()
        await asyncio.gather(*tasks, return_exceptions=True)

    async def _connect(self, reader: StreamReader, writers: list[StreamWriter]) -> None:
        """Pass bytes between a client and the server, until one of them leaves."""
        (to_client,) = writers
        with suppress(OSError):
            from_server, to_server = await asyncio.open_connection(HOST, self._to_port)
            writers.append(to_server)
            async with asyncio.TaskGroup() as both:
                both.create_task(self._ask(reader, to_server))
                both.create_task(self._answer(from_server, to_client))
        to_client.close()

    async def _ask(self, reader: StreamReader, writer: StreamWriter) -> None:
        with suppress(OSError):
            while chunk := await reader.read(_CHUNK_BYTES):
                await self._flowing.wait()
                writer.write(chunk)
                await writer.drain()
        writer.close()

    async def _answer(self, reader: StreamReader, writer: StreamWriter) -> None:
        with suppress(OSError):
            while chunk := await reader.read(_CHUNK_BYTES):
                await self._flowing.wait()
                writer.write(chunk[: self._bytes_left])
                await writer.drain()
                self._count(len(chunk))
        writer.close()

    def _count(self, size: int) -> None:
        if self._bytes_left is not None:
            self._bytes_left -= size
            if self._bytes_left <= 0:
                self.cut()


def reset(writer: StreamWriter) -> None:
    """End a connection as a network that fails does, and not as a peer that says goodbye."""
    with suppress(OSError):  # it has ended by itself
        place = writer.get_extra_info("socket")
        place.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, _RESET_ON_CLOSE)
    writer.transport.abort()


@asynccontextmanager
async def proxy(*, to_port: int, port: int = 0) -> AsyncIterator[Proxy]:
    """Pass what comes to a port, by default a free one, on to another."""
    between = Proxy(to_port=to_port)
    server = await asyncio.start_server(between.take, HOST, port)
    between.port = server.sockets[0].getsockname()[1]
    try:
        yield between
    finally:
        server.close()
        await between.close()
        await server.wait_closed()
