"""How workers hear at once that runs may have become due: LISTEN and NOTIFY.

A notice is a hint. It is sent after the commit that it is about, not in it, because a NOTIFY holds
up all other commits that notify until its own is on the disk; and only where nobody has taken the
work meanwhile, most often this very process. So it can be missed, and who waits looks again.
"""

import asyncio
from contextlib import suppress

import structlog
from asyncpg import exceptions

from hub.errors import StorageError
from hub.journal.postgres.connecting import STATEMENT_SECONDS
from hub.journal.postgres.store import PostgresStore

CHANNEL = "trunkline_runs"

_GATHER_SECONDS = 0.01
"""Changes within this time are one notice."""

_LISTEN_AGAIN_SECONDS = (1.0, 30.0)
"""After the connection was lost: at first, and in the end."""

_ALIVE_SECONDS = 30.0
"""How often a silent connection is asked whether it is there."""

_TELL = """
SELECT pg_notify($1, $2) WHERE EXISTS (SELECT FROM lanes WHERE turn IS NOT NULL)
"""

_log = structlog.get_logger()


class Notices:
    """Says and hears that runs may have become due."""

    def __init__(self, *, store: PostgresStore) -> None:
        self._store = store
        self._changed = asyncio.Event()
        self._untold = False
        self._telling = False
        self._listening = False
        store.at_stop(self._tell)

    def say(self) -> None:
        """Tell whoever waits, here and in other processes. To be called after the commit."""
        self._changed.set()
        self._untold = True
        if not self._telling:
            self._telling = True
            self._store.keep("telling of runs", self._tell_gathered())

    async def within(self, seconds: float) -> bool:
        """Return True once something was said, False after these seconds without."""
        if not self._listening:
            self._listening = True
            self._store.keep("listening for runs", self._listen())
        try:
            async with asyncio.timeout(seconds):
                await self._changed.wait()
        except TimeoutError:
            return False
        self._changed.clear()
        return True

    async def _tell_gathered(self) -> None:
        try:
            while self._untold:
                await asyncio.sleep(_GATHER_SECONDS)
                with suppress(StorageError):
                    await self._tell()
        finally:
            self._telling = False

    async def _tell(self) -> None:
        if self._untold:
            self._untold = False
            await self._store.run(
                lambda connection: connection.execute(_TELL, CHANNEL, self._store.name)
            )

    async def _listen(self) -> None:
        pause, longest = _LISTEN_AGAIN_SECONDS
        while True:
            try:
                await self._listen_until_cut()
                pause = _LISTEN_AGAIN_SECONDS[0]
            except (
                StorageError,
                exceptions.PostgresError,
                exceptions.InterfaceError,
                OSError,
            ) as error:
                _log.warning("listening_interrupted", error=str(error))
            await asyncio.sleep(pause)
            pause = min(pause * 2, longest)

    async def _listen_until_cut(self) -> None:
        connection = await self._store.connect()
        try:
            cut = asyncio.Event()
            connection.add_termination_listener(lambda _connection: cut.set())
            await connection.add_listener(CHANNEL, self._heard)
            # What was said before this connection listened was said to nobody.
            self._changed.set()
            while not cut.is_set():
                with suppress(TimeoutError):
                    async with asyncio.timeout(_ALIVE_SECONDS):
                        await cut.wait()
                        return
                await connection.execute("SELECT", timeout=STATEMENT_SECONDS)
        finally:
            connection.terminate()

    def _heard(self, _connection: object, _process: int, _channel: str, teller: object) -> None:
        if teller != self._store.name:
            self._changed.set()
