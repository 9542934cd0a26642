"""`trunkline serve` is told to end: what was taken in stays, what is in flight is answered."""

import asyncio
import os
import signal
from contextlib import AsyncExitStack
from functools import partial
from itertools import count
from pathlib import Path

import pytest
from served import Served, eventually
from surroundings import KEY, Alone
from wire import END_OF_HEADERS, Line, ask, delivery, line_to, push

from hub.journal.interface import RunState

SENDERS = 20

STOP_SECONDS = 20.0
"""What a stop may take; Kubernetes kills after 30."""

SCHEDULING_SECONDS = 5.0
"""What a busy machine may add to that."""


async def begin_upload(line: Line, octets: bytes) -> bytes:
    """Send a request but for the end of its body, and return that once the hub reads the body."""
    head, end, body = octets.partition(END_OF_HEADERS)
    line.send(head + b"\r\nExpect: 100-continue" + end)
    assert (await line.answer()).status == 100
    line.send(body[:-10])
    return body[-10:]


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
async def test_a_stop_under_load_answers_what_is_in_flight_and_loses_nothing(
    alone: Alone, tmp_path: Path, number: signal.Signals
) -> None:
    """T118; SIGINT is what Ctrl-C sends."""
    record = tmp_path / "record"
    accepted: list[str] = []

    async def send(sender: int) -> None:
        async with line_to(hub.port) as line:
            for name in (f"{sender}-{place}" for place in count()):
                try:
                    answer = await line.ask(delivery(name, push(f"company/{sender}"), key=KEY))
                except (ConnectionError, EOFError):
                    return
                assert answer.status == 202
                accepted.append(name)

    async def busy() -> bool:
        return len(accepted) >= 10 * SENDERS

    async def unready() -> bool:
        return await hub.readiness() == 503

    async with alone(dispatch={"handlers_module": "recording_handlers"}) as hub:
        hub.environment["RECORD_FILE"] = str(record)
        await hub.start()
        senders = asyncio.gather(*map(send, range(SENDERS)))
        await eventually(busy)
        async with line_to(hub.port) as line:
            rest = await begin_upload(line, delivery("upload", push(), key=KEY))
            hub.process.send_signal(number)
            async with asyncio.timeout(STOP_SECONDS):
                await eventually(unready)
                line.send(rest)
                assert (await line.answer()).status == 202
                assert await hub.process.wait() == 0
        await senders
        await hub.start()
        async with hub.files() as files:
            await eventually(files.quiet)
            assert set(await files.event_ids()) == {*accepted, "upload"}

    handled = [line.split()[-1] for line in record.read_text().splitlines()]
    assert sorted(handled) == sorted([*accepted, "upload"])


async def test_a_handler_in_flight_may_end_before_the_process_does(
    alone: Alone, tmp_path: Path
) -> None:
    pipe = tmp_path / "pipe"
    os.mkfifo(pipe)
    long = delivery("long", push(branch="take-long"), key=KEY)

    async def shut() -> bool:
        return await hub.readiness() == 0

    async with alone(dispatch={"handlers_module": "misbehaving_handlers"}) as hub:
        hub.environment["PIPE"] = str(pipe)
        await hub.start()
        assert (await ask(hub.port, long)).status == 202
        await eventually(partial(_is_running, hub))
        hub.process.terminate()
        await eventually(shut)
        pipe.write_bytes(b"go on")
        assert await hub.ended() == 0
        async with hub.files() as files:
            (run,) = await files.journal.runs(handler="misbehave")

    assert (run.state, run.attempts) == (RunState.DONE, 1)


async def test_what_takes_too_long_is_given_back_in_time_for_the_next_life(alone: Alone) -> None:
    """T118: an upload and a handler that do not end share the time there is."""
    endless = delivery("endless", push(branch="never-end"), key=KEY)

    async with (
        alone(dispatch={"handlers_module": "misbehaving_handlers"}) as hub,
        AsyncExitStack() as lines,
    ):
        await hub.start()
        line = await lines.enter_async_context(line_to(hub.port))
        assert (await line.ask(endless)).status == 202
        await eventually(partial(_is_running, hub))
        await begin_upload(line, delivery("upload", push(), key=KEY))
        hub.process.terminate()
        async with asyncio.timeout(STOP_SECONDS + SCHEDULING_SECONDS):
            assert await hub.process.wait() == 0
        async with hub.files() as files:
            (run,) = await files.journal.runs(handler="misbehave")
            assert await files.event_ids() == ["endless"]

    assert (run.state, run.attempts) == (RunState.READY, 0)


async def test_a_handler_that_does_not_let_go_holds_up_no_end(alone: Alone) -> None:
    clinging = delivery("clinging", push(branch="cling"), key=KEY)
    async with alone(dispatch={"handlers_module": "misbehaving_handlers"}) as hub:
        await hub.start()
        assert (await ask(hub.port, clinging)).status == 202
        await eventually(partial(_is_running, hub))
        hub.process.terminate()
        async with asyncio.timeout(STOP_SECONDS + SCHEDULING_SECONDS):
            assert await hub.process.wait() == 0
        assert [line["handler"] for line in hub.said("run_not_let_go")] == ["misbehave"]


async def _is_running(hub: Served) -> bool:
    async with hub.files() as files:
        return (await files.journal.counts()).get(RunState.RUNNING) == 1
