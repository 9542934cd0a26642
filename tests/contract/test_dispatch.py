"""Dispatch on the real journal: lanes, retries, resumption, parking, dead letters."""

import asyncio
from contextlib import suppress
from dataclasses import dataclass
from typing import ClassVar

import pytest
from dispatch_world import Deliver, Look, Order, opened
from structlog.testing import capture_logs

from hub.dispatch import Do, Skipped, on
from hub.dispatch.outcome import Dead, Parked
from hub.errors import PermanentError, TemporaryError
from hub.events.envelope import Envelope
from hub.journal.interface import RunState


@on(Order, lane=lambda order: order.lane)
async def deliver_order(order: Order, do: Do) -> None:
    """Deliver it."""
    await do(Deliver(what=f"order {order.number}"))


async def test_runs_of_one_lane_are_executed_in_the_order_of_their_events(tmp_path):
    async with opened(tmp_path, deliver_order) as hub:
        for number in range(50):
            await hub.order(number)
        await hub.work()
        assert hub.world.delivered == [f"order {number}" for number in range(50)]


async def test_an_event_that_comes_again_is_not_handled_again(tmp_path):
    async with opened(tmp_path, deliver_order) as hub:
        await hub.order(1)
        await hub.work()
        await hub.order(1)
        await hub.work()
        assert hub.world.delivered == ["order 1"]


async def test_a_lane_that_fails_holds_back_only_itself(tmp_path):
    async with opened(tmp_path, deliver_order) as hub:
        hub.world.refuse = lambda what: TemporaryError("closed") if what == "order 1" else None
        await hub.order(1, lane="closed")
        await hub.order(2, lane="closed")
        await hub.order(3, lane="open")
        await hub.work()
        assert (await hub.run(1)).state is RunState.RETRYING
        assert (await hub.run(2)).state is RunState.READY
        assert hub.world.delivered == ["order 3"]


async def test_a_run_is_retried_when_its_time_has_come_and_then_done(tmp_path):
    async with opened(tmp_path, deliver_order) as hub:
        hub.world.refuse = lambda _what: TemporaryError("closed", after=30.0)
        await hub.order(1)
        await hub.work()
        run = await hub.run(1)
        assert run.due_at == hub.clock.now + 30.0
        hub.world.refuse = lambda _what: None
        hub.clock.now += 30.0
        await hub.work()
        assert hub.world.delivered == ["order 1"]
        assert (await hub.run(1)).attempts == 2


async def test_a_run_that_never_succeeds_becomes_a_dead_letter_and_is_told_of(tmp_path):
    async with opened(tmp_path, deliver_order) as hub:
        hub.world.refuse = lambda _what: TemporaryError("closed for good")
        await hub.order(1)
        for _ in range(2):
            await hub.work()
            hub.clock.now += 60.0
        await hub.work()
        run = await hub.run(1)
        assert (run.state, run.attempts) == (RunState.DEAD, 3)
        assert hub.buried == [Dead("closed for good (after 3 attempts)")]
        assert [one.detail for one in await hub.journal.attempts(run.id)] == [
            "closed for good",
            "closed for good",
            "closed for good (after 3 attempts)",
        ]


async def test_what_can_never_work_is_dead_at_once(tmp_path):
    async with opened(tmp_path, deliver_order) as hub:
        hub.world.refuse = lambda _what: PermanentError("no such address")
        await hub.order(1)
        await hub.work()
        assert (await hub.run(1)).state is RunState.DEAD
        assert (await hub.run(1)).attempts == 1


async def test_a_handler_that_raises_anything_else_is_retried(tmp_path):
    @on(Order)
    async def stumble(order: Order, do: Do) -> None:
        """Stumble."""
        raise KeyError(order.number)

    async with opened(tmp_path, stumble) as hub:
        await hub.order(1)
        await hub.work()
        assert (await hub.run(1)).detail == "KeyError: 1"


async def test_a_handler_that_hangs_is_ended_and_retried(tmp_path):
    async with opened(tmp_path, deliver_order) as hub:
        hub.world.gate = asyncio.Event()
        await hub.order(1)
        await hub.work()
        assert "took longer than" in (await hub.run(1)).detail


async def test_a_skip_says_why(tmp_path):
    @on(Order)
    async def decline(order: Order, do: Do) -> Skipped | None:
        """Decline."""
        return Skipped("not today")

    async with opened(tmp_path, decline) as hub:
        await hub.order(1)
        await hub.work()
        assert ((await hub.run(1)).state, (await hub.run(1)).detail) == (
            RunState.SKIPPED,
            "not today",
        )


async def test_steps_that_are_done_are_not_done_again_by_a_later_attempt(tmp_path):
    answers: list[str] = []

    @on(Order)
    async def deliver_twice(order: Order, do: Do) -> None:
        """Deliver two parcels."""
        answers.append(await do(Deliver(what="first")))
        await do(Deliver(what="second"))

    async with opened(tmp_path, deliver_twice) as hub:
        hub.world.refuse = lambda what: TemporaryError("closed") if what == "second" else None
        await hub.order(1)
        await hub.work()
        hub.world.refuse = lambda _what: None
        hub.clock.now += 60.0
        await hub.work()
        assert hub.world.delivered == ["first", "second"]
        assert answers == ["receipt for first", "receipt for first"]


async def test_until_something_was_done_a_retry_looks_at_the_world_anew(tmp_path):
    seen: list[int] = []

    @on(Order)
    async def look_and_deliver(order: Order, do: Do) -> None:
        """Look, deliver, deliver."""
        seen.append(await do(Look()))
        await do(Deliver(what="first"))
        await do(Deliver(what="second"))

    async with opened(tmp_path, look_and_deliver) as hub:
        for refused in ("first", "second", "nothing"):
            hub.world.refuse = lambda what, refused=refused: (
                TemporaryError("closed") if what == refused else None
            )
            await hub.order(1)
            await hub.work()
            hub.clock.now += 60.0
        assert seen == [1, 2, 2]
        assert [step.name for step in await hub.journal.steps((await hub.run(1)).id)] == [
            "test.look",
            "test.deliver",
            "test.deliver",
        ]


async def test_a_handler_that_changes_its_mind_is_parked_with_both_shown(tmp_path):
    minds = iter(["a bicycle", "a car"])

    @on(Order)
    async def waver(order: Order, do: Do) -> None:
        """Waver."""
        await do(Deliver(what=next(minds)))
        await do(Deliver(what="second"))

    async with opened(tmp_path, waver) as hub:
        hub.world.refuse = lambda what: TemporaryError("closed") if what == "second" else None
        await hub.order(1)
        await hub.work()
        hub.clock.now += 60.0
        await hub.work()
        run = await hub.run(1)
        assert run.state is RunState.PARKED
        assert "a bicycle" in run.detail
        assert "a car" in run.detail
        assert hub.world.delivered == ["a bicycle"]


async def test_runs_of_a_handler_that_is_gone_are_parked_and_told_of_and_not_lost(tmp_path):
    async with opened(tmp_path, deliver_order) as hub:
        await hub.order(1)
    async with opened(tmp_path) as hub:
        await hub.work()
        run = await hub.run(1)
        assert run.state is RunState.PARKED
        assert run.detail == "no handler named deliver_order is installed"
        assert hub.buried == [Parked(run.detail)]
        await hub.journal.replay(run.id, again=False)
    async with opened(tmp_path, deliver_order) as hub:
        await hub.work()
        assert hub.world.delivered == ["order 1"]


async def test_an_event_whose_data_cannot_be_read_is_a_dead_letter_that_names_the_field(tmp_path):
    async with opened(tmp_path, deliver_order) as hub:
        event = Envelope(
            id="order-1",
            source="/test",
            type="test.ordered",
            partitionkey="one",
            data=b'{"lane": 1}',
        )
        await hub.see(event)
        run = await hub.run(1)
        assert run.state is RunState.DEAD
        assert "number" in run.detail


async def test_two_actions_at_the_same_time_are_refused(tmp_path):
    @on(Order)
    async def hurry(order: Order, do: Do) -> None:
        """Hurry."""
        await asyncio.gather(do(Deliver(what="left")), do(Deliver(what="right")))

    async with opened(tmp_path, hurry) as hub:
        await hub.order(1)
        await hub.work()
        assert "one action done at a time" in (await hub.run(1)).detail


async def test_an_action_for_a_system_that_is_not_set_up_is_skipped_and_says_so(tmp_path):
    @dataclass(frozen=True, slots=True, kw_only=True)
    class Fly(Deliver):
        name: ClassVar[str] = "test.fly"

    @on(Order)
    async def fly(order: Order, do: Do) -> None:
        """Fly."""
        await do(Fly(what="away"))

    async with opened(tmp_path, fly) as hub:
        await hub.order(1)
        await hub.work()
        run = await hub.run(1)
        assert run.state is RunState.SKIPPED
        assert run.detail == "test.fly is left out: the settings name no system for it"


async def test_stopping_gives_back_what_is_in_flight_without_counting_it(tmp_path):
    async with opened(tmp_path, deliver_order) as hub:
        hub.world.gate = asyncio.Event()
        await hub.order(1)
        runner = hub.make_runner()
        task = asyncio.create_task(runner.run())
        async with asyncio.timeout(10):
            while not (await hub.journal.counts())[RunState.RUNNING]:
                await asyncio.sleep(0)
        await runner.stop(within_seconds=0)
        await task
        run = await hub.run(1)
        assert (run.state, run.attempts) == (RunState.READY, 0)


async def test_a_handler_that_does_not_let_go_is_named_and_holds_up_no_end(tmp_path):
    let_go = asyncio.Event()

    @on(Order)
    async def cling(order: Order, do: Do) -> None:
        """Take no for no answer."""
        while not let_go.is_set():
            with suppress(asyncio.CancelledError):
                await let_go.wait()

    async with opened(tmp_path, cling, deliver_order) as hub:
        hub.world.gate = asyncio.Event()
        await hub.order(1)
        runner = hub.make_runner()
        task = asyncio.create_task(runner.run())
        async with asyncio.timeout(10):
            while (await hub.journal.counts())[RunState.RUNNING] < 2:
                await asyncio.sleep(0)
        with capture_logs() as logs:
            await runner.stop(within_seconds=0)
        await task
        runs = await hub.journal.runs()
        assert {run.handler: run.state for run in runs} == {
            "cling": RunState.RUNNING,
            "deliver_order": RunState.READY,
        }
        (named,) = [log["handler"] for log in logs if log["event"] == "run_not_let_go"]
        assert named == "cling"

        let_go.set()
        await runner.drain()
        assert (await hub.journal.counts())[RunState.DONE] == 1


@pytest.mark.parametrize("concurrency", [1, 7])
async def test_no_more_lanes_run_at_a_time_than_allowed(tmp_path, concurrency):
    at_once = most = 0

    @on(Order, lane=lambda order: str(order.number))
    async def busy(order: Order, do: Do) -> None:
        """Be busy for some turns of the loop."""
        nonlocal at_once, most
        at_once += 1
        most = max(most, at_once)
        for _ in range(20):
            await asyncio.sleep(0)
        at_once -= 1

    async with opened(tmp_path, busy, concurrency=concurrency) as hub:
        for number in range(30):
            await hub.order(number)
        await hub.work()
        assert most == concurrency
