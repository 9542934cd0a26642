"""The receiver against senders that are slow, large or many."""

import asyncio
import json
import socket
import struct
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import pytest
from receiver_wire import (
    BEARER_KEY,
    PUSH,
    Wire,
    World,
    cloud_event,
    github,
    receiving,
    request,
)

from hub.receiver.limits import Limits
from hub.receiver.metrics import Mishap, Outcome

HALF_A_HEAD = b"POST /webhooks/github HTTP/1.1\r\nHost: hub\r\nX-GitHub-"


@pytest.mark.parametrize("sent", [b"", b"POST", HALF_A_HEAD], ids=["nothing", "a word", "half"])
async def test_a_connection_without_whole_headers_is_cut(tmp_path: Path, sent: bytes) -> None:
    """T16."""
    async with (
        receiving(tmp_path, limits=Limits(header_seconds=0.05)) as world,
        world.wire() as wire,
    ):
        await wire.send(sent)

        assert await wire.is_cut()
    assert world.counted.mishaps == [Mishap.SLOW_HEADERS]


async def test_a_byte_now_and_then_buys_no_time(tmp_path: Path) -> None:
    """T16: slow loris."""
    async with (
        receiving(tmp_path, limits=Limits(header_seconds=0.2)) as world,
        world.wire() as wire,
    ):
        loop = asyncio.get_running_loop()
        started = loop.time()
        await wire.send(HALF_A_HEAD)
        cut = asyncio.ensure_future(wire.is_cut())
        while not cut.done():
            wire.writer.write(b"x")
            await asyncio.wait([cut], timeout=0.02)

        assert await cut
        assert loop.time() - started < 5
    assert world.counted.mishaps == [Mishap.SLOW_HEADERS]


async def test_the_headers_of_a_later_request_have_the_same_time(tmp_path: Path) -> None:
    """T16: the clock starts with the request, so that waiting between two is no fault."""
    limits = Limits(header_seconds=0.1)
    async with receiving(tmp_path, limits=limits) as world, world.wire() as wire:
        await wire.exchange(github())
        quiet = asyncio.ensure_future(wire.is_cut())
        done, _ = await asyncio.wait([quiet], timeout=0.3)
        assert done == set()

        await wire.send(HALF_A_HEAD)
        assert await quiet
    assert world.counted.mishaps == [Mishap.SLOW_HEADERS]


async def test_headers_in_pieces_are_taken_if_they_come_in_time(tmp_path: Path) -> None:
    octets = github()
    async with receiving(tmp_path) as world, world.wire() as wire:
        for at in range(0, 400, 20):
            await wire.send(octets[at : at + 20])
            await asyncio.sleep(0)
        answer = await wire.exchange(octets[400:])

    assert answer.status == 202
    assert world.counted.mishaps == []


async def test_a_body_that_trickles_is_408_and_leaves_nothing_behind(tmp_path: Path) -> None:
    """T17: the memory that it held serves the next one."""
    limits = Limits(body_seconds=0.1, unread_seconds=0.1, bodies_bytes=len(PUSH))
    async with receiving(tmp_path, limits=limits) as world:
        async with world.wire() as wire:
            answer = await wire.exchange(github()[:-1])
            assert await wire.is_cut()
        after = await world.exchange(github())

    assert answer.status == 408
    assert after.status == 202
    assert world.counted.answers[0] == ("github", Outcome.REFUSED, 408, len(PUSH) - 1)


async def test_a_connection_that_idles_too_long_is_closed(tmp_path: Path) -> None:
    """T18."""
    async with receiving(tmp_path, limits=Limits(idle_seconds=0.1)) as world, world.wire() as wire:
        answer = await wire.exchange(github())

        assert await wire.is_cut()
    assert answer.status == 202
    assert world.counted.mishaps == []


def long_answer() -> bytes:
    """A request whose answer is long, as it names many events with long sources."""
    event = {"specversion": "1.0", "source": "/" + "x" * 1000, "type": "com.example.a", "data": {}}
    batch = json.dumps([{**event, "id": f"e-{number}"} for number in range(300)]).encode()
    headers = [
        ("Content-Type", "application/cloudevents-batch+json"),
        ("Authorization", f"Bearer {BEARER_KEY}"),
    ]
    return request("/events", batch, headers)


@asynccontextmanager
async def deaf(port: int) -> AsyncIterator[socket.socket]:
    """Connect as somebody who never reads, with little room for what is not read."""
    with socket.socket() as raw:
        raw.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
        raw.setblocking(False)
        await asyncio.get_running_loop().sock_connect(raw, ("127.0.0.1", port))
        yield raw


async def test_a_peer_that_reads_no_answers_is_cut_after_a_while(tmp_path: Path) -> None:
    """Else its connection would be taken for ever."""
    loop = asyncio.get_running_loop()
    limits = Limits(write_seconds=0.1)
    async with receiving(tmp_path, limits=limits) as world, deaf(world.port) as raw:
        sent = 0
        while not any(connection.writing_paused for connection in world.connections()):
            await loop.sock_sendall(raw, long_answer())
            sent += 1
            await world.eventually(lambda: len(world.counted.answers) >= sent)  # noqa: B023
            await asyncio.sleep(0)
        await world.eventually(lambda: world.counted.mishaps == [Mishap.UNREAD_ANSWER])


async def test_a_peer_that_goes_on_sending_and_reads_no_answers_is_cut_at_once(
    tmp_path: Path,
) -> None:
    """Else both its requests and its answers would pile up."""
    limits = Limits(write_seconds=1000)
    async with receiving(tmp_path, limits=limits) as world, deaf(world.port) as raw:
        loop = asyncio.get_running_loop()
        sending = asyncio.ensure_future(loop.sock_sendall(raw, long_answer() * 100))
        await world.eventually(lambda: Mishap.UNREAD_ANSWER in world.counted.mishaps)
        sending.cancel()
        await asyncio.wait([sending])


async def test_beyond_the_cap_a_connection_is_closed_at_once_and_the_others_serve(
    tmp_path: Path,
) -> None:
    """T18."""
    async with receiving(tmp_path, limits=Limits(connections=3)) as world:
        admitted = [await Wire.open(world.port) for _ in range(3)]
        for wire in admitted:
            assert (await wire.exchange(github())).status == 202
        for _ in range(20):
            async with world.wire() as refused:
                assert await refused.is_cut()
        assert (await admitted[0].exchange(github())).status == 202
        assert world.counted.mishaps == [Mishap.FULL] * 20

        await admitted[1].close()
        await answered_by_a_new_connection(world)
        for wire in admitted:
            await wire.close()


async def answered_by_a_new_connection(world: World) -> None:
    """The place of a closed connection is free once the server has noticed."""
    async with asyncio.timeout(10):
        while True:
            async with world.wire() as wire:
                try:
                    assert (await wire.exchange(github())).status == 202
                except (asyncio.IncompleteReadError, ConnectionError):
                    continue
                return


@pytest.mark.parametrize("reset", [False, True], ids=["closed", "reset"])
async def test_a_sender_that_leaves_before_the_answer_has_its_event_kept(
    tmp_path: Path,
    reset: bool,  # noqa: FBT001
) -> None:
    """T19: and its next try is a duplicate."""
    async with receiving(tmp_path) as world:
        world.bus.open.clear()
        async with world.wire() as wire:
            await wire.send(github())
            await world.bus.waiting.wait()
            if reset:
                at_once = struct.pack("ii", 1, 0)
                raw = wire.writer.get_extra_info("socket")
                raw.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, at_once)
        world.bus.open.set()
        await world.eventually(lambda: len(world.counted.answers) == 1)
        again = await world.exchange(github())
        stored = await world.events()

    assert len(stored) == 1
    assert again.content["duplicate"] is True


async def test_a_sender_that_leaves_in_the_middle_of_its_body_is_forgotten(
    tmp_path: Path,
) -> None:
    """T14."""
    limits = Limits(bodies_bytes=len(PUSH))
    async with receiving(tmp_path, limits=limits) as world:
        async with world.wire() as wire:
            await wire.send(github()[:-100])
        await world.eventually(lambda: len(world.counted.answers) == 1)
        after = await world.exchange(github())

        assert len(await world.events()) == 1
    assert after.status == 202


async def test_a_flood_of_refusals_does_not_flood_the_log(tmp_path: Path) -> None:
    async with receiving(tmp_path) as world, world.wire() as wire:
        for _ in range(200):
            assert (await wire.exchange(cloud_event(token="wrong"))).status == 401

    assert len(world.counted.answers) == 200
    assert len(world.lines.entries) < 100
    assert world.lines.entries[0]["reason"] == "Unauthentic"
