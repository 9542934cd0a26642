"""A 202 means on disk: what the kernel saw of the serving process, call by call."""

import asyncio
import os
import re
import shutil
from pathlib import Path

import pytest
from served import eventually
from surroundings import KEY, Alone
from syscalls import STRACE, Answered, answered_in, calls_in, kept_in_time
from wire import delivery, line_to, push

SENDERS = 8
DELIVERIES = 25

ASK = (
    'recvfrom(9<TCP:[a->b]>, "X-GitHub-Delivery: d1\\r\\nContent-Length: 2\\r\\n\\r\\n{}", 99) = 45'
)
WRITE = '2 pwrite64(5</s/t.db-wal>, "\\0\\1d1\\"", 4096, 32) = 4096'
SYNC = "2 fdatasync(5</s/t.db-wal>) = 0"
SYNC_BEGINS = "2 fdatasync(5</s/t.db-wal> <unfinished ...>"
SYNC_ENDS = "2 <... fdatasync resumed>) = 0"
ANSWER = '1 sendto(9<TCP:[a->b]>, "HTTP/1.1 202 Accepted", 21, 0, NULL, 0) = 21'


def test_a_trace_in_which_the_promise_is_kept_is_recognised() -> None:
    calls = calls_in("\n".join([f"1 {ASK}", WRITE, SYNC, ANSWER]))
    assert answered_in(calls) == [Answered(delivery="d1", read_at=0, answered_at=3)]
    assert kept_in_time(answered_in(calls)[0], calls)


@pytest.mark.parametrize(
    "lines",
    [
        pytest.param([WRITE, ANSWER, SYNC], id="answered before the sync"),
        pytest.param([SYNC, WRITE, ANSWER], id="synced before it was written"),
        pytest.param([SYNC, ANSWER], id="not written"),
        pytest.param([WRITE, SYNC.replace("= 0", "= -1 EIO (error)"), ANSWER], id="sync failed"),
        pytest.param(
            [WRITE, SYNC_BEGINS, ANSWER, SYNC_ENDS],
            id="answered during the sync",
        ),
        pytest.param([WRITE, SYNC.replace("-wal", ""), ANSWER], id="another file was synced"),
    ],
)
def test_a_trace_in_which_the_promise_is_broken_is_recognised(lines: list[str]) -> None:
    calls = calls_in("\n".join([f"1 {ASK}", *lines]))
    (answered,) = answered_in(calls)
    assert not kept_in_time(answered, calls)


async def test_each_202_follows_a_sync_of_the_log_that_holds_its_event(
    alone: Alone, tmp_path: Path
) -> None:
    """T69."""
    if shutil.which(STRACE[0]) is None:
        words = "strace is not installed: fdatasync before each 202 is not proven"
        pytest.fail(words) if os.environ.get("CI") == "true" else pytest.skip(words)
    trace = tmp_path / "trace"

    async def send(sender: int) -> None:
        async with line_to(hub.port) as line:
            for number in range(DELIVERIES):
                name = f"<{sender}.{number}>"
                assert (await line.ask(delivery(name, push(), key=KEY))).status == 202

    async def written() -> bool:
        last_line = rf"^{hub.process.pid} +\+\+\+ exited with 0"
        return re.search(last_line, trace.read_text(), re.MULTILINE) is not None

    async with alone() as hub:
        await hub.start(under=(*STRACE, "-o", str(trace)))
        await asyncio.gather(*map(send, range(SENDERS)))
        assert await hub.stop() == 0
        await eventually(written)
    calls = calls_in(trace.read_text())
    answered = answered_in(calls)
    assert len(answered) == SENDERS * DELIVERIES
    assert [one.delivery for one in answered if not kept_in_time(one, calls)] == []
