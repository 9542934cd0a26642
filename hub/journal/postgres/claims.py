"""What this process executes, and on which lease."""

import asyncio
from collections.abc import Callable, Sequence
from functools import partial
from uuid import UUID

import structlog

from hub.errors import StorageError
from hub.journal.claimed import Claimed
from hub.journal.interface import Claim, RunId
from hub.journal.postgres import claiming
from hub.journal.postgres.lease import Lease
from hub.journal.postgres.store import PostgresStore

_log = structlog.get_logger()


class Claims:
    """Claims runs, keeps the lease on them, and takes over what others have lost.

    A process that never claims has no lease and needs none.
    """

    def __init__(
        self, *, store: PostgresStore, clock: Callable[[], float], freed: Callable[[], None]
    ) -> None:
        """`freed` is called when lanes were left to whoever is next."""
        self._store = store
        self._clock = clock
        self._freed = freed
        self._lease = Lease(store=store)
        self._held: dict[RunId, tuple[int, UUID]] = {}
        self._in_doubt = False
        self._claiming = asyncio.Lock()
        self._cared_for = False

    def hold(self, claim: Claim) -> bool:
        """Whether the lease under which this was claimed is good, as far as is known here."""
        return self._held.get(claim.run) == (claim.token, self._lease.session)

    def drop(self, claim: Claim | Claimed) -> None:
        """Forget a claim that has ended."""
        if self._held.get(claim.run, (None,))[0] == claim.token:
            del self._held[claim.run]

    async def claim(self, *, worker: str, limit: int) -> Sequence[Claimed]:
        """See Journal.claim."""
        async with self._claiming:
            self._care_from_now_on()
            session = await self._lease.ensure()
            if self._in_doubt:
                await self._give_back_unknown(session)
            # Whatever ends this before it returns leaves runs claimed that nobody executes.
            self._in_doubt = True
            claims = await self._claim(session, worker, limit)
            self._in_doubt = False
            self._held |= {claim.run: (claim.token, session) for claim in claims}
            return claims

    async def _claim(self, session: UUID, worker: str, limit: int) -> list[Claimed]:
        claims: list[Claimed] = []
        again = True
        while again and len(claims) < limit:
            job = partial(
                claiming.claim,
                session=session,
                worker=worker,
                limit=limit - len(claims),
                now=self._clock(),
            )
            haul = await self._store.run(job)
            if not haul.leased:
                # What was claimed under it just now is no longer ours either.
                _log.warning("lease_passed", worker=self._store.worker)
                self._lease.forget()
                return []
            claims += haul.claims
            again = haul.more
            if haul.others_gone:
                again |= await self.recover() > 0
        return claims

    def _care_from_now_on(self) -> None:
        if not self._cared_for:
            self._cared_for = True
            self._store.at_stop(self._lease.end)
            self._store.keep("care of leases", self._care())

    async def _care(self) -> None:
        pause = self._store.lease_seconds / 3
        while True:
            await asyncio.sleep(pause)
            try:
                async with asyncio.timeout(pause):
                    await self._lease.renew()
                    await self._look_after()
            except (StorageError, TimeoutError) as error:
                _log.warning("lease_not_renewed", worker=self._store.worker, error=str(error))

    async def _look_after(self) -> None:
        """Find what nobody executes: runs of workers that are gone, and claims never heard of."""
        await self.recover()
        async with self._claiming:
            session = self._lease.session
            held = {run: claim for run, claim in self._held.items() if claim[1] == session}
            self._held = held
            if session is not None:
                await self._give_back_unknown(session)

    async def recover(self) -> int:
        """Take over what workers whose lease has passed were at; return how many runs."""
        recovered = await self._store.transact(partial(claiming.recover, now=self._clock()))
        if recovered:
            _log.warning("runs_taken_over", runs=recovered)
            self._freed()
        return recovered

    async def _give_back_unknown(self, session: UUID) -> None:
        known = [run for run, (_, under) in self._held.items() if under == session]
        job = partial(claiming.give_back_unknown, session=session, known=known, now=self._clock())
        if await self._store.transact(job):
            self._freed()
