"""The receiver when it starts and when it is told to stop."""

import asyncio
from pathlib import Path

import pytest
from receiver_wire import (
    PUSH,
    Counted,
    Wire,
    github,
    github_headers,
    receiving,
    request,
    settings,
    sqlite_bus,
)

from hub.errors import SettingsError
from hub.receiver.doors import open_doors
from hub.receiver.limits import Limits
from hub.receiver.server import Receiver


async def test_what_is_in_flight_is_answered_before_the_receiver_is_gone(tmp_path: Path) -> None:
    async with receiving(tmp_path) as world, world.wire() as wire:
        world.bus.open.clear()
        await wire.send(github())
        await world.bus.waiting.wait()
        stopping = asyncio.ensure_future(world.receiver.stop())
        await refuses_connections(world.port)
        world.bus.open.set()
        answer = await wire.answer()
        await stopping

        assert await wire.is_cut()
        assert len(await world.events()) == 1
    assert answer.status == 202
    assert answer.headers["connection"] == "close"


async def test_a_body_that_is_half_here_may_still_arrive(tmp_path: Path) -> None:
    octets = request("/webhooks/github", PUSH, [*github_headers(), ("Expect", "100-continue")])
    async with receiving(tmp_path) as world, world.wire() as wire:
        await wire.send(octets[:-100])
        await wire.reader.readuntil(b"\r\n\r\n")
        stopping = asyncio.ensure_future(world.receiver.stop())
        await refuses_connections(world.port)
        answer = await wire.exchange(octets[-100:])
        await stopping

    assert answer.status == 202


async def test_idle_connections_do_not_hold_up_the_end(tmp_path: Path) -> None:
    async with receiving(tmp_path, limits=Limits(drain_seconds=60)) as world, world.wire() as wire:
        assert (await wire.exchange(github())).status == 202
        async with asyncio.timeout(10):
            await world.receiver.stop()

        assert await wire.is_cut()


async def test_a_request_that_takes_too_long_is_cut_off_unacknowledged(tmp_path: Path) -> None:
    limits = Limits(drain_seconds=0.1)
    async with receiving(tmp_path, limits=limits) as world, world.wire() as wire:
        world.bus.open.clear()
        await wire.send(github())
        await world.bus.waiting.wait()
        async with asyncio.timeout(10):
            await world.receiver.stop()

        assert await wire.is_cut()


async def test_stopping_twice_is_stopping_once(tmp_path: Path) -> None:
    async with receiving(tmp_path) as world:
        await world.receiver.stop()
        await world.receiver.stop()
        await refuses_connections(world.port)


async def test_a_port_that_is_taken_is_a_mistake_in_the_settings(tmp_path: Path) -> None:
    async with receiving(tmp_path) as world, sqlite_bus(tmp_path / "other") as bus:
        taken = settings(tmp_path).model_copy(update={"port": world.port})
        second = Receiver(settings=taken, bus=bus, doors=open_doors(taken), metrics=Counted())
        with pytest.raises(SettingsError, match=str(world.port)):
            await second.start()
        await second.stop()

        assert (await world.exchange(github())).status == 202


async def refuses_connections(port: int) -> None:
    """Wait until nobody listens."""
    async with asyncio.timeout(10):
        while True:
            try:
                await (await Wire.open(port)).close()
            except ConnectionRefusedError:
                return
            except ConnectionResetError:
                continue  # it was in the queue of the port as that was closed
