"""The watchdog of the event loop. Tests block the loop until it was noticed, so none is timed."""

import asyncio
import threading
from contextlib import suppress

import pytest
from structlog.testing import capture_logs

from hub.telemetry.watchdog import Watchdog, running

PATIENCE_SECONDS = 30
"""How long a test that fails stands still."""

THRESHOLD_SECONDS = 0.1
"""A loop on a busy machine stands still for less than this by itself."""


def watchdog(count, threshold_seconds=THRESHOLD_SECONDS):
    return Watchdog(count=count, threshold_seconds=threshold_seconds, pause_seconds=0.001)


class Count:
    """Counts blockages, and can be waited for in the loop's own thread, which blocks it."""

    def __init__(self):
        self.value = 0
        self._one_more = threading.Semaphore(0)

    def __call__(self):
        self.value += 1
        self._one_more.release()

    def block_until_noticed(self):
        assert self._one_more.acquire(timeout=PATIENCE_SECONDS)


async def turn():
    """Let the loop turn until the watchdog has had an answer."""
    await asyncio.get_running_loop().run_in_executor(None, lambda: None)


@pytest.fixture
def count():
    return Count()


async def test_a_blockage_is_told_with_its_handler_and_its_stack(count):
    with capture_logs() as logs, watchdog(count), running("bump_image_tag"):
        count.block_until_noticed()
    (event,) = logs
    assert event["event"] == "loop_blocked"
    assert event["running"] == "bump_image_tag"
    assert "block_until_noticed" in event["stack"]


async def test_a_blockage_is_told_once_however_long_it_lasts(count):
    probes = threading.Event()
    with watchdog(count):
        count.block_until_noticed()
        probes.wait(4 * THRESHOLD_SECONDS)
        assert count.value == 1


async def test_the_next_blockage_is_told_again(count):
    with watchdog(count):
        count.block_until_noticed()
        await turn()
        count.block_until_noticed()
    assert count.value == 2


async def test_a_loop_that_turns_is_left_alone(count):
    with watchdog(count, PATIENCE_SECONDS):
        for _ in range(100):
            await turn()
    assert count.value == 0


async def test_the_thread_ends_with_its_context(count):
    with watchdog(count):
        assert "watchdog" in {thread.name for thread in threading.enumerate()}
    assert "watchdog" not in {thread.name for thread in threading.enumerate()}


async def test_it_can_be_left_and_entered_at_any_moment(count):
    for _ in range(50):
        with watchdog(count):
            await turn()


async def test_tasks_that_take_turns_keep_their_own_names(count):
    gate = asyncio.Event()

    async def wait_inside():
        with running("announce_deployment"):
            await gate.wait()

    with capture_logs() as logs, watchdog(count):
        other = asyncio.create_task(wait_inside())
        await turn()
        with running("page_on_degraded"):
            count.block_until_noticed()
        gate.set()
        await other
    assert [event["running"] for event in logs] == ["page_on_degraded"]


async def test_a_task_gets_its_name_back():
    task = asyncio.current_task()
    assert task is not None
    before = task.get_name()
    with suppress(KeyError), running("bump_image_tag"):
        during = task.get_name()
        raise KeyError
    assert (during, task.get_name()) == ("bump_image_tag", before)


async def test_what_runs_outside_any_task_has_no_name_to_change():
    failed = asyncio.get_running_loop().create_future()

    def outside():
        try:
            with running("x"):
                pass
        except RuntimeError as error:
            failed.set_result(error)

    asyncio.get_running_loop().call_soon(outside)
    assert isinstance(await failed, RuntimeError)
