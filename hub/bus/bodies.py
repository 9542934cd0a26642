"""How bodies lie on the disk: zstd, and in pieces where one alone would hold up a commit.

A large body is written piece by piece, each in a commit that others share, and before its event.
Until the event is there the body stands in `open_bodies`; what still stands there after a crash
or a failure is swept away.
"""

import asyncio
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from functools import partial

import apsw
from zstandard import ZstdCompressor, ZstdDecompressor, ZstdError

from hub.errors import StorageError
from hub.sqlite import Store

PLAIN_BYTES = 256 * 1024
"""Bodies up to this are packed on the writer's thread, in half a millisecond at most."""
PIECE_BYTES = 256 * 1024
"""What a packed body may add to a commit: a few milliseconds of a slow disk."""
_AT_ONCE = 2
"""Large bodies packed and written at the same time: each takes up to twice its size in memory."""
_LEVEL = 1
"""Packing makes the insert cheaper by more than this level costs; higher ones do not."""


@dataclass(frozen=True, slots=True)
class Packed:
    """A body on its way: packed in `data`, or written ahead in pieces under the number `body`."""

    data: bytes | None = None
    body: int | None = None


class Packer:
    """Packs bodies, on one thread only: making the compressor costs more than a small body."""

    def __init__(self) -> None:
        self._compressor = ZstdCompressor(level=_LEVEL)

    def pack(self, data: bytes) -> bytes:
        """Pack a body."""
        return self._compressor.compress(data)

    def pack_all(self, bodies: Sequence[bytes]) -> Sequence[bytes]:
        """Pack bodies in one call, which lets go of the interpreter once and not for each."""
        if not any(bodies):
            return [self.pack(data) for data in bodies]
        packed = self._compressor.multi_compress_to_buffer(list(bodies))
        return [packed[place].tobytes() for place in range(len(bodies))]


def unpack(connection: apsw.Connection, packed: Packed) -> bytes:
    """Return a body as it came. Raises StorageError where the file does not have it any more."""
    data = packed.data if packed.data is not None else _joined(connection, packed.body)
    try:
        return ZstdDecompressor().decompress(data)
    except ZstdError as error:
        raise StorageError(f"a body in the log is damaged: {error}") from error


def attach(connection: apsw.Connection, body: int) -> None:
    """Note that the event of a large body is being written; from the same commit on it stays."""
    connection.execute("DELETE FROM open_bodies WHERE body = ?", (body,))
    _refuse_swept(connection)


class LargeBodies:
    """Writes bodies ahead of their events."""

    def __init__(self, *, store: Store) -> None:
        self._store = store
        self._turns = asyncio.Semaphore(_AT_ONCE)
        self._abandoned: list[int] = []

    @asynccontextmanager
    async def written_ahead(self, bodies: Sequence[bytes]) -> AsyncIterator[Sequence[Packed]]:
        """Write the large ones of these bodies; their events are to be written in this context.

        Those whose events are not are swept away later.
        """
        written: list[Packed] = []
        try:
            for data in bodies:
                written.append(await self._write(data))  # noqa: PERF401  kept where one fails
            yield written
        except BaseException:
            self._abandoned += [packed.body for packed in written if packed.body is not None]
            raise

    async def sweep(self) -> None:
        """Delete what crashes have left. Nobody may be writing."""
        self._abandoned += await self._store.read(_open_bodies)
        await self._sweep_abandoned()

    async def _write(self, data: bytes) -> Packed:
        async with self._turns:
            packed = await asyncio.to_thread(_pack, data)
            if len(packed) <= PIECE_BYTES:
                return Packed(data=packed)
            await self._sweep_abandoned()
            return Packed(body=await self._write_pieces(packed))

    async def _write_pieces(self, packed: bytes) -> int:
        body = await self._store.write(_begin)
        try:
            for piece, start in enumerate(range(0, len(packed), PIECE_BYTES)):
                data = packed[start : start + PIECE_BYTES]
                await self._store.write(partial(_add, body, piece, data), size=len(data))
        except BaseException:
            self._abandoned.append(body)
            raise
        return body

    async def _sweep_abandoned(self) -> None:
        while self._abandoned:
            body = self._abandoned.pop()
            try:
                await self._store.write(partial(_delete, body))
            except BaseException:
                self._abandoned.append(body)
                raise


def _pack(data: bytes) -> bytes:
    return ZstdCompressor(level=_LEVEL).compress(data)


def _joined(connection: apsw.Connection, body: int | None) -> bytes:
    pieces = connection.execute(
        "SELECT data FROM event_pieces WHERE body = ? ORDER BY piece", (body,)
    )
    return b"".join(data for (data,) in pieces)


def _begin(connection: apsw.Connection) -> int:
    return int(connection.execute("INSERT INTO open_bodies DEFAULT VALUES RETURNING body").get)


def _add(body: int, piece: int, data: bytes, connection: apsw.Connection) -> None:
    connection.execute(
        "INSERT INTO event_pieces SELECT ?1, ?2, ?3 FROM open_bodies WHERE body = ?1",
        (body, piece, data),
    )
    _refuse_swept(connection)


def _delete(body: int, connection: apsw.Connection) -> None:
    # A caller that was cancelled has abandoned a body whose event may have been written after all.
    connection.execute(
        "DELETE FROM event_pieces WHERE body IN (SELECT body FROM open_bodies WHERE body = ?)",
        (body,),
    )
    connection.execute("DELETE FROM open_bodies WHERE body = ?", (body,))


def _refuse_swept(connection: apsw.Connection) -> None:
    if not connection.changes():
        raise StorageError("the body was swept away while it was written; append it again")


def _open_bodies(connection: apsw.Connection) -> list[int]:
    return [body for (body,) in connection.execute("SELECT body FROM open_bodies")]
