"""The lease on which a worker claims: who is not heard of for so long has lost its runs.

It runs on the database's clock, as the clocks of workers differ. What this process thinks of its
own lease is counted from before each renewal was sent, so it is never longer than what the
database says. A lease that has passed is not renewed: whoever comes back works under a new one.
"""

import time
from uuid import UUID, uuid4

from hub.journal.postgres.connecting import Connection
from hub.journal.postgres.store import PostgresStore

_OPEN = """
INSERT INTO workers (session, worker, alive_until)
VALUES ($1, $2, clock_timestamp() + make_interval(secs => $3))
"""

_RENEW = """
UPDATE workers SET alive_until = clock_timestamp() + make_interval(secs => $2)
WHERE session = $1 AND alive_until > clock_timestamp() RETURNING TRUE
"""

_END = "UPDATE workers SET alive_until = '-infinity' WHERE session = $1"


class Lease:
    """The lease of this process, under one session after the other."""

    def __init__(self, *, store: PostgresStore) -> None:
        self._store = store
        self._seconds = store.lease_seconds
        self._session: UUID | None = None
        self._good_until = float("-inf")

    @property
    def session(self) -> UUID | None:
        """The session that this process may act under now; None where the lease has passed."""
        return self._session if time.monotonic() < self._good_until else None

    async def ensure(self) -> UUID:
        """Return the present session, or open one. Raises StorageError."""
        if (session := self.session) is not None:
            return session
        sent_at = time.monotonic()
        session = uuid4()

        async def open_one(connection: Connection) -> None:
            await connection.execute(_OPEN, session, self._store.worker, self._seconds)

        await self._store.run(open_one)
        self._session, self._good_until = session, sent_at + self._seconds
        return session

    async def renew(self) -> None:
        """Make the lease last anew, where it has not passed. Raises StorageError."""
        if (session := self.session) is None:
            return
        sent_at = time.monotonic()

        async def renew(connection: Connection) -> bool:
            return await connection.fetchval(_RENEW, session, self._seconds) is not None

        if not await self._store.run(renew):
            self.forget()
        elif self._session == session:
            self._good_until = sent_at + self._seconds

    def forget(self) -> None:
        """Take the lease for passed."""
        self._good_until = float("-inf")

    async def end(self) -> None:
        """Leave what is still claimed to the others at once. Raises StorageError."""
        session, self._session = self._session, None
        self.forget()
        if session is not None:
            await self._store.run(lambda connection: connection.execute(_END, session))
