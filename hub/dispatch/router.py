"""Step 4: reads the log in order and writes a run for every handler that wants an event."""

from collections.abc import Sequence
from functools import partial

from hub.actions.action import encode_result
from hub.actions.wait import AwaitedEvent, WaitForEvent
from hub.bus.interface import Record, Subscription
from hub.dispatch.handler import Handler
from hub.dispatch.pausing import pause
from hub.dispatch.routing import Unreadable, Wanted, decide
from hub.errors import StorageError
from hub.events.envelope import Envelope
from hub.journal.interface import Journal, PlannedRun

GROUP = "dispatch"
"""The consumer group of all routers of one hub."""

BATCH = 500
"""Events planned in one go: enough to fill a commit, and little to hold in memory."""


class Router:
    """Writes runs. What it has not committed it reads again; planning twice makes one run."""

    def __init__(self, *, journal: Journal, handlers: Sequence[Handler]) -> None:
        self._journal = journal
        self._handlers = handlers
        types = {one for handler in handlers for view in handler.views for one in view.types}
        self._types = frozenset(types)

    async def run(self, subscription: Subscription) -> None:
        """Route what the subscription brings, until cancelled."""
        while True:
            try:
                records = await subscription.poll(BATCH)
            except StorageError as error:
                await pause("routing_paused", error)
                continue
            await self._route_surely(subscription, records)

    async def _route_surely(self, subscription: Subscription, records: Sequence[Record]) -> None:
        while True:
            try:
                await self.route_envelopes([record.envelope for record in records])
                await subscription.commit(records)
            except StorageError as error:
                await pause("routing_paused", error)
            else:
                return

    async def route_envelopes(self, events: Sequence[Envelope]) -> None:
        """Write the runs of these events, and wake the runs that waited for them."""
        plans = [plan for event in events for plan in self._plans(event)]
        if plans:
            await self._journal.plan(plans)
        for event in events:
            await self._journal.wake(event, partial(_as_awaited, event))

    def _plans(self, envelope: Envelope) -> list[PlannedRun]:
        if envelope.type not in self._types:
            return []
        plans = []
        for handler, decision in decide(self._handlers, envelope):
            match decision:
                case Wanted(lane):
                    error = None
                case Unreadable(lane, error):
                    pass
                case _:
                    continue
            plans.append(
                PlannedRun(envelope=envelope, handler=handler.name, lane=lane, stillborn=error)
            )
        return plans


_ANY_WAIT = WaitForEvent(type="", subject="", until=0.0)


def _as_awaited(envelope: Envelope) -> str:
    awaited = AwaitedEvent(
        id=envelope.id,
        source=envelope.source,
        type=envelope.type,
        subject=envelope.subject or "",
        data=envelope.data.decode("utf-8", "replace"),
    )
    return encode_result(_ANY_WAIT, awaited)
