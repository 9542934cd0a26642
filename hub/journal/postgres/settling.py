"""What the executors of runs write: steps, outcomes, runs given back.

Whatever has arrived while one commit is on its way goes into the next one together, as in
`hub/sqlite/writer.py`, and each caller hears of its own claim only.

A connection that is cut in the middle of a commit leaves open whether it was one. Steps that are
noted again stay as they are; an outcome that is written again is looked up among the attempts.
"""

import asyncio
from collections import deque
from collections.abc import Callable, Sequence
from contextlib import nullcontext
from dataclasses import dataclass
from functools import partial

from hub.errors import ClaimLost, StorageError
from hub.journal.claimed import Claimed
from hub.journal.interface import Claim, Finished, Step
from hub.journal.postgres import attempts, lanes
from hub.journal.postgres.attempts import ClaimKey, Held
from hub.journal.postgres.connecting import Connection
from hub.journal.postgres.store import PostgresStore, Rejected

MAX_GROUP = 500
"""The first of a commit waits for the last, so a burst is cut into several commits."""

_CLOSED = "the journal was closed meanwhile"


@dataclass(frozen=True, slots=True, kw_only=True)
class Note:
    """These steps of the run are done."""

    steps: Sequence[Step]


@dataclass(frozen=True, slots=True, kw_only=True)
class End:
    """The attempt has ended."""

    finished: Finished


@dataclass(frozen=True, slots=True, kw_only=True)
class GiveBack:
    """The attempt was not made."""


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Ticket:
    """One thing to write, on its way."""

    claim: Claim | Claimed
    work: Note | End | GiveBack
    future: asyncio.Future[None]
    in_doubt: bool
    """Whether it was tried before, and nobody knows what came of it."""

    @property
    def key(self) -> ClaimKey:
        """What tells this claim from all others."""
        return (self.claim.run, self.claim.token)

    @property
    def held(self) -> Held:
        """The claim that this is written under."""
        claim = self.claim
        return Held(lane=lanes.key_of(claim.lane), run=claim.run, token=claim.token)

    @property
    def finished(self) -> Finished | None:
        """How the attempt has ended; None where none was made."""
        return self.work.finished if isinstance(self.work, End) else None

    def tell(self, error: StorageError | None) -> None:
        """Let the caller go on, if it still waits."""
        if self.future.done():
            return
        if error is None:
            self.future.set_result(None)
        else:
            self.future.set_exception(error)


class Settling:
    """Writes for all that executes in this process, one commit after the other."""

    def __init__(
        self, *, store: PostgresStore, clock: Callable[[], float], freed: Callable[[], None]
    ) -> None:
        """`freed` is called after a commit that left lanes to whoever is next."""
        self._store = store
        self._clock = clock
        self._freed = freed
        self._waiting: deque[Ticket] = deque()
        self._in_doubt: set[ClaimKey] = set()
        self._at_work = False

    async def submit(self, claim: Claim | Claimed, work: Note | End | GiveBack) -> None:
        """Have it written in the next commit. Raises ClaimLost and StorageError."""
        ticket = Ticket(
            claim=claim,
            work=work,
            future=asyncio.get_running_loop().create_future(),
            in_doubt=(claim.run, claim.token) in self._in_doubt,
        )
        self._waiting.append(ticket)
        if not self._at_work:
            self._at_work = True
            self._store.keep("settling", self._settle_all())
        await ticket.future

    async def _settle_all(self) -> None:
        try:
            while self._waiting:
                most = min(MAX_GROUP, len(self._waiting))
                group = [self._waiting.popleft() for _ in range(most)]
                await self._settle([one for one in group if not one.future.done()])
        finally:
            self._at_work = False
            while self._waiting:
                self._waiting.popleft().tell(StorageError(_CLOSED))

    async def _settle(self, tickets: Sequence[Ticket]) -> None:
        """Write these together, or each alone where one of them spoils it for all."""
        try:
            job = partial(write, tickets=tickets, now=self._clock())
            lost = await self._store.run(job)
        except Rejected as error:
            if len(tickets) == 1:
                tickets[0].tell(error)
            else:
                for ticket in tickets:
                    await self._settle([ticket])
        except StorageError as error:
            self._doubt(tickets)
            for ticket in tickets:
                ticket.tell(error)
        except BaseException:
            for ticket in tickets:
                ticket.tell(StorageError(_CLOSED))
            raise
        else:
            self._answer(tickets, lost)

    def _doubt(self, tickets: Sequence[Ticket]) -> None:
        self._in_doubt |= {one.key for one in tickets if isinstance(one.work, End)}

    def _answer(self, tickets: Sequence[Ticket], lost: set[Ticket]) -> None:
        if any(not isinstance(ticket.work, Note) for ticket in tickets):
            self._freed()
        for ticket in tickets:
            claim = ticket.claim
            self._in_doubt.discard(ticket.key)
            said = f"run {claim.run} is no longer executed under token {claim.token}"
            ticket.tell(ClaimLost(said) if ticket in lost else None)


async def write(connection: Connection, *, tickets: Sequence[Ticket], now: float) -> set[Ticket]:
    """Write what the tickets say, and return those whose claim is lost."""
    notes = [(one.held, one.work.steps) for one in tickets if isinstance(one.work, Note)]
    leaving = _first_of_each(tickets)
    endings = [(one.held, one.finished) for one in leaving]
    waits = [
        (one.claim.run, one.claim.token, one.finished.wait)
        for one in leaving
        if one.finished is not None and one.finished.wait is not None
    ]
    one_statement = not waits and not (notes and endings)
    async with nullcontext() if one_statement else connection.transaction():
        noted = await attempts.note(connection, notes)
        left = await attempts.leave(connection, endings, now=now)
        valid = [wait for wait in waits if wait[:2] in left]
        await attempts.write_waits(connection, valid, now=now)
    written = {one for one in leaving if one.key in left}
    written |= {one for one in tickets if isinstance(one.work, Note) and one.key in noted}
    lost = [one for one in tickets if one not in written]
    return {one for one in lost if not await _stands_already(connection, one)}


def _first_of_each(tickets: Sequence[Ticket]) -> list[Ticket]:
    """Return the tickets that leave a lane, without those that come too late within the group."""
    leaving: dict[ClaimKey, Ticket] = {}
    for ticket in tickets:
        if not isinstance(ticket.work, Note):
            leaving.setdefault(ticket.key, ticket)
    return list(leaving.values())


async def _stands_already(connection: Connection, ticket: Ticket) -> bool:
    """Say whether this is what the attempt has ended with: its commit was not heard of."""
    if not ticket.in_doubt or not isinstance(ticket.work, End):
        return False
    outcome = await connection.fetchval(
        "SELECT outcome FROM run_attempts WHERE run = $1 AND token = $2",
        ticket.claim.run,
        ticket.claim.token,
    )
    return bool(outcome == ticket.work.finished.state)
