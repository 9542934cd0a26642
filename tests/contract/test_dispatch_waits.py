"""Runs that wait for an event, for a time, or for the first of both."""

from dispatch_world import Deliver, Order, opened

from hub.actions.wait import WaitForEvent, WaitUntil
from hub.dispatch import Do, on
from hub.events.envelope import Envelope


@on(Order)
async def await_payment(order: Order, do: Do) -> None:
    """Deliver once it is paid, or remind."""
    paid = await do(
        WaitForEvent(type="test.paid", subject=f"order {order.number}", until=1_000_100.0)
    )
    await do(Deliver(what="reminder" if paid is None else f"paid with {paid.data}"))


def payment(number: int) -> Envelope:
    return Envelope(
        id=f"payment-{number}",
        source="/bank",
        type="test.paid",
        partitionkey="bank",
        subject=f"order {number}",
        data=b"cash",
    )


async def test_a_run_that_waits_for_an_event_goes_on_with_it(tmp_path):
    async with opened(tmp_path, await_payment) as hub:
        await hub.order(1)
        await hub.work()
        await hub.see(payment(2))
        await hub.work()
        assert hub.world.delivered == []
        await hub.see(payment(1))
        await hub.work()
        assert hub.world.delivered == ["paid with cash"]


async def test_a_run_gives_up_waiting_when_the_time_is_up(tmp_path):
    async with opened(tmp_path, await_payment) as hub:
        await hub.order(1)
        await hub.work()
        hub.clock.now = 1_000_100.0
        await hub.work()
        assert hub.world.delivered == ["reminder"]


async def test_a_run_sleeps_through_a_restart(tmp_path):
    @on(Order)
    async def deliver_later(order: Order, do: Do) -> None:
        """Deliver later."""
        await do(WaitUntil(at=1_000_050.0))
        await do(Deliver(what="late"))

    async with opened(tmp_path, deliver_later) as hub:
        await hub.order(1)
        await hub.work()
    async with opened(tmp_path, deliver_later) as hub:
        hub.clock.now = 1_000_050.0
        await hub.work()
        assert hub.world.delivered == ["late"]
