"""The process is kept from its work, by others and by the kernel, and loses nothing."""

import asyncio
import resource
import signal
from contextlib import AsyncExitStack
from pathlib import Path

from served import eventually, let_pass
from surroundings import KEY, Alone
from wire import delivery, line_to, push

IDLE_CONNECTIONS = 500
SENDERS = 8
DELIVERIES = 40
STOPPED_SECONDS = 3.0
DISPATCH = {
    "handlers_module": "recording_handlers",
    "retry_base_seconds": 0.05,
    "retry_cap_seconds": 0.5,
}


async def test_idle_and_slow_connections_keep_nobody_from_being_answered(alone: Alone) -> None:
    """T16, T18."""
    async with alone() as hub, AsyncExitStack() as lines:
        await hub.start()
        for _ in range(IDLE_CONNECTIONS):
            await lines.enter_async_context(line_to(hub.port))
        slow = await lines.enter_async_context(line_to(hub.port))
        slow.send(b"POST /webhooks/github HTTP/1.1\r\nX-Slow: ")
        cut = asyncio.create_task(slow.is_cut())

        async def is_cut() -> bool:
            slow.send(b"x")
            assert (await hub.ask_admin("/healthz"))[0] == 200
            return cut.done()

        await eventually(is_cut)
        assert await cut
        line = await lines.enter_async_context(line_to(hub.port))
        assert (await line.ask(delivery("one", push(), key=KEY))).status == 202
        assert await hub.stop() == 0


async def test_what_is_acknowledged_without_a_free_descriptor_is_handled_once_there_is_one(
    alone: Alone, tmp_path: Path
) -> None:
    record = tmp_path / "record"
    names = [str(number) for number in range(10)]
    async with alone(dispatch=DISPATCH) as hub:
        hub.environment["RECORD_FILE"] = str(record)
        await hub.start()
        async with line_to(hub.port) as line:
            assert (await line.ask(delivery("before", push(), key=KEY))).status == 202
            _, hard = resource.prlimit(hub.process.pid, resource.RLIMIT_NOFILE)
            opened = len(list(Path(f"/proc/{hub.process.pid}/fd").iterdir()))
            resource.prlimit(hub.process.pid, resource.RLIMIT_NOFILE, (opened, hard))
            for name in names:
                assert (await line.ask(delivery(name, push(), key=KEY))).status == 202
            resource.prlimit(hub.process.pid, resource.RLIMIT_NOFILE, (hard, hard))
        async with hub.files() as files:
            await eventually(files.quiet)
        assert await hub.stop() == 0

    handled = [line.split()[-1] for line in record.read_text().splitlines()]
    assert handled == ["before", *names]


async def test_a_process_that_stands_still_for_a_while_goes_on_where_it_was(
    alone: Alone, tmp_path: Path
) -> None:
    """T120, for one process that owns its file."""
    record = tmp_path / "record"
    accepted: list[str] = []

    async def send(sender: int) -> None:
        async with line_to(hub.port) as line:
            for number in range(DELIVERIES):
                name = f"{sender}-{number}"
                answer = await line.ask(delivery(name, push(f"company/{sender}"), key=KEY))
                assert answer.status == 202
                accepted.append(name)

    async def in_the_middle() -> bool:
        return len(accepted) >= SENDERS * DELIVERIES / 4

    async with alone(dispatch=DISPATCH) as hub:
        hub.environment["RECORD_FILE"] = str(record)
        await hub.start()
        senders = asyncio.gather(*map(send, range(SENDERS)))
        await eventually(in_the_middle)
        hub.process.send_signal(signal.SIGSTOP)
        await let_pass(STOPPED_SECONDS)
        stopped_at = len(accepted)
        hub.process.send_signal(signal.SIGCONT)
        await senders
        async with hub.files() as files:
            await eventually(files.quiet)
            assert sorted(await files.event_ids()) == sorted(accepted)
        assert await hub.stop() == 0

    assert stopped_at < len(accepted) == SENDERS * DELIVERIES
    handled = [line.split()[-1] for line in record.read_text().splitlines()]
    assert sorted(handled) == sorted(accepted)
